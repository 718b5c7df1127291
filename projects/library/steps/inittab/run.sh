file=/etc/inittab

# getty_line BUSYBOX DEVICE BAUD TERM: prints the line of a getty. Its id is what is left of the device in sysvinit's four characters: s0 for ttyS0.
getty_line() {
    if [ "$1" = true ]; then
        printf '%s::respawn:/sbin/getty -L %s %s %s\n' "$2" "$3" "$2" "$4"
        return 0
    fi
    id=$(printf '%s\n' "${2#tty}" | tr '[:upper:]' '[:lower:]' | sed 's/^.*\(.\{4\}\)$/\1/')
    printf '%s:12345:respawn:/sbin/agetty -L %s %s %s\n' "$id" "$3" "$2" "$4"
}

# in_inittab: what is said goes into /etc/inittab.
in_inittab() {
    if inittab_is_busybox "$file"; then busybox=true; else busybox=false; fi
    : >"$SCRATCH.lines"
    while IFS=$US read -r device baud term; do
        [ -n "$device" ] || continue
        getty_line "$busybox" "${device#/dev/}" "$baud" "$term" >>"$SCRATCH.lines"
    done <<EOF
$WITH_SERIAL
EOF
    while IFS= read -r line; do
        case $line in
        '') ;;
        *:*:*:*) printf '%s\n' "$line" >>"$SCRATCH.lines" ;;
        *) die "inittab: a line is id:runlevels:action:process, not \"$line\"" ;;
        esac
    done <<EOF
$WITH_LINES
EOF
    : >"$SCRATCH.comment"
    while IFS= read -r line; do
        id=${line%%:*}
        set -f
        for pattern in $WITH_COMMENT; do
            # shellcheck disable=SC2254 # a pattern is meant
            case $id in
            '#'*|'') ;;
            $pattern) printf '%s\n' "$line" >>"$SCRATCH.comment"; break ;;
            esac
        done
        set +f
    done <"$file"

    # What is commented out and stands among the new lines becomes the new line; a serial line known by its device, the others by their id.
    awk -F: -v lines="$SCRATCH.lines" -v comment="$SCRATCH.comment" -v gettys="$WITH_GETTYS" '
        function device(text,   word, i, n) {
            if (text !~ /getty/) return ""
            n = split(text, word, /[: \t]+/)
            for (i = n; i > 0; i--) if (word[i] ~ /^(tty|hvc|console)/) return word[i]
            return ""
        }
        function known(text,   part) {
            if (device(text) != "") return "getty " device(text)
            split(text, part, ":")
            return part[1] == "" ? text : "id " part[1]
        }
        BEGIN {
            while ((getline line < lines) > 0) { k = known(line); if (!(k in ours)) order[++n] = k; ours[k] = line }
            while ((getline line < comment) > 0) out[line] = 1
        }
        /^[ \t]*(#|$)/ { print; next }
        { k = known($0) }
        k in ours { if (!(k in done)) print ours[k]; done[k] = 1; next }
        $0 in out || (gettys == "none" && device($0) != "") { print "#" $0; next }
        { print }
        END { for (i = 1; i <= n; i++) if (!(order[i] in done)) print ours[order[i]] }' "$file" >"$SCRATCH.inittab"
    write_if_changed "$file" <"$SCRATCH.inittab"
    rm -f "$SCRATCH.lines" "$SCRATCH.comment" "$SCRATCH.inittab"
}

# with_systemd: gettys are instances of units.
with_systemd() {
    etc=/etc/systemd/system
    wanted=
    while IFS=$US read -r device baud term; do
        [ -n "$device" ] || continue
        device=${device#/dev/}
        unit=serial-getty@$device.service
        ships=$(unit_file "$unit") || die "inittab: systemd's unit serial-getty@.service is not in the root"
        link_if_changed "$ships" "$etc/getty.target.wants/$unit"
        wanted="$wanted $unit"
        if [ "$baud $term" != "115200 vt100" ]; then
            write_if_changed "$etc/$unit.d/10-line.conf" <<UNIT
[Service]
ExecStart=
ExecStart=-/sbin/agetty -o '-p -- \\\\u' $baud %I $term
Environment=TERM=$term
UNIT
        fi
    done <<EOF
$WITH_SERIAL
EOF
    [ "$WITH_GETTYS" = none ] || return 0
    for unit in "$etc"/getty.target.wants/*getty@*.service; do
        case " $wanted " in
        *" ${unit##*/} "*) ;;
        *) remove_if_there "$unit" ;;
        esac
    done
    link_if_changed /dev/null "$etc/getty@.service"
    link_if_changed /dev/null "$etc/console-getty.service"
    write_if_changed /etc/systemd/logind.conf.d/10-no-gettys.conf <<'EOF'
[Login]
NAutoVTs=0
ReserveVT=0
EOF
}

if [ "$(init_system)" = systemd ]; then
    with_systemd
elif [ -f "$file" ]; then
    in_inittab
else
    die "inittab: the root has no $file and no systemd: with openrc-init, agetty.DEVICE is one of the \`services\`"
fi
