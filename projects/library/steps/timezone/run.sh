file=/usr/share/zoneinfo/$WITH_ZONE
if [ -f "$file" ]; then
    [ "$(head -c 4 "$file")" = TZif ] || die "timezone: $file is no time zone: is its name right?"
    link_if_changed "../usr/share/zoneinfo/$WITH_ZONE" /etc/localtime
elif [ "$WITH_ZONE" = UTC ]; then
    remove_if_there /etc/localtime
elif [ -d /usr/share/zoneinfo ]; then
    die "timezone: no such time zone: $WITH_ZONE; the names are those below /usr/share/zoneinfo"
else
    die "timezone: the root has no time zones: install sys-libs/timezone-data (Debian, Alpine: tzdata)"
fi
write_if_changed /etc/timezone <<EOF
$WITH_ZONE
EOF
