: >"$SCRATCH.sysctl"
while IFS='=' read -r name value; do
    case $name in
    '') continue ;;
    *[!A-Za-z0-9_./*-]*) die "sysctl: no name of a setting: \"$name\"" ;;
    esac
    printf '%s = %s\n' "$name" "$value" >>"$SCRATCH.sysctl"
done <<EOF
$WITH_SETTINGS
EOF
[ -s "$SCRATCH.sysctl" ] || die "sysctl: no settings"
write_if_changed "/etc/sysctl.d/$WITH_NAME.conf" <"$SCRATCH.sysctl"
rm -f "$SCRATCH.sysctl"
