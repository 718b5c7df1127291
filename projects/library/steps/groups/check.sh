while IFS= read -r name; do
    [ -n "$name" ] || continue
    db_has /etc/group "$name" || die "there is no group $name"
done <<EOF
$WITH_ARGS
EOF
