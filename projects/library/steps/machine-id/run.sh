if [ -n "$WITH_ID" ]; then
    write_if_changed /etc/machine-id 0444 <<EOF
$WITH_ID
EOF
else
    forget_machine_id
fi
forget_copies
