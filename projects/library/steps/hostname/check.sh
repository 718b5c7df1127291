found=$(head -n 1 /etc/hostname 2>/dev/null || true)
if [ -f /etc/conf.d/hostname ]; then
    found=$(sed -n 's/^[[:space:]]*hostname="\{0,1\}\([^"]*\)"\{0,1\}.*/\1/p' /etc/conf.d/hostname)
fi
[ "$found" = "$WITH_ARGS" ] || die "the hostname is \"$found\", not \"$WITH_ARGS\""
