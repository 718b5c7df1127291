dbus=/var/lib/dbus/machine-id
if [ -n "$WITH_ID" ]; then
    write_if_changed /etc/machine-id 0444 <<EOF
$WITH_ID
EOF
elif [ "$(init_system)" = systemd ]; then
    write_if_changed /etc/machine-id </dev/null
else
    remove_if_there /etc/machine-id
fi
# A link to /etc/machine-id follows it; a copy would be an identity of its own.
if [ -f "$dbus" ] && [ ! -L "$dbus" ]; then remove_if_there "$dbus"; fi
remove_if_there /var/lib/systemd/random-seed
remove_if_there /var/lib/misc/random-seed
remove_if_there /var/lib/seedrng/seed.credit
remove_if_there /var/lib/seedrng/seed.no-credit
