# escaped TEXT: prints it with blanks as fstab has them.
escaped() { printf '%s\n' "$1" | sed 's/\\/\\134/g; s/ /\\040/g'; }

file=/etc/fstab
: >"$SCRATCH.new"
while IFS=$US read -r device mount type options dump pass state; do
    [ -n "$device$mount" ] || continue
    if [ -z "$pass" ]; then
        if [ "$mount" = / ]; then pass=1; else pass=0; fi
    fi
    printf '%s\037%s\t%s\t%s\t%s\t%s %s\n' "$state" "$(escaped "$device")" "$(escaped "$mount")" "$type" "$options" "$dump" "$pass" >>"$SCRATCH.new"
done <<EOF
$WITH_ENTRIES
EOF
[ -s "$SCRATCH.new" ] || [ "$WITH_ONLY" = true ] || die "fstab: give entries, or only: true for an empty file"

old=$file
if [ "$WITH_ONLY" = true ] || [ ! -f "$file" ]; then old=/dev/null; fi
# A line is known by its mount point, one of swap by its device.
awk -v new="$SCRATCH.new" '
    function name(device, mount) { return mount ~ /^\// ? mount : "swap " device }
    BEGIN {
        while ((getline line < new) > 0) {
            at = index(line, "\037")
            text = substr(line, at + 1)
            split(text, field, "\t")
            id = name(field[1], field[2])
            if (!(id in ours)) order[++n] = id
            ours[id] = (substr(line, 1, at - 1) == "absent") ? "" : text
        }
    }
    /^[ \t]*(#|$)/ { print; next }
    { id = name($1, $2) }
    !(id in ours) { print; next }
    !(id in done) { if (ours[id] != "") print ours[id]; done[id] = 1 }
    END { for (i = 1; i <= n; i++) if (!(order[i] in done) && ours[order[i]] != "") print ours[order[i]] }' "$old" >"$SCRATCH.fstab"
write_if_changed "$file" <"$SCRATCH.fstab"
rm -f "$SCRATCH.new" "$SCRATCH.fstab"
