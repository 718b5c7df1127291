dir=$WITH_DIRECTORY
if [ -z "$dir" ]; then
    dir=/boot
    if [ -d /boot/firmware ]; then dir=/boot/firmware; fi
fi
[ -n "$WITH_CONFIG$WITH_CMDLINE$WITH_REMOVE" ] || die "boot-config: give config, cmdline or remove"
printf '%s\n' "$WITH_CONFIG" >"$SCRATCH.config"
printf '%s\n' "$WITH_CMDLINE" >"$SCRATCH.cmdline"
printf '%s\n' "$WITH_REMOVE" >"$SCRATCH.remove"

# The lines before the first section are those of [all]. New lines come at the end of the first stretch of their section, before
# empty lines; a new section comes at the end.
old=$dir/config.txt
if [ ! -f "$old" ]; then old=/dev/null; fi
if [ -n "$WITH_CONFIG" ] || { [ -n "$WITH_REMOVE" ] && [ "$old" != /dev/null ]; }; then
    awk -v new="$SCRATCH.config" -v remove="$SCRATCH.remove" -v section="$WITH_SECTION" '
        function name(text) { sub(/[ \t]*=.*/, "", text); sub(/^[ \t]+/, "", text); return text }
        function several(text) { return text ~ /^(dtoverlay|dtparam|device_tree_param|gpio|initramfs|include)/ }
        function key(text) { return several(text) ? text : name(text) }
        function rest(   i) {
            for (i = 1; i <= n; i++) if (!(order[i] in done)) { print ours[order[i]]; done[order[i]] = 1 }
        }
        BEGIN {
            while ((getline line < new) > 0) if (line != "") {
                k = key(line); if (!(k in ours)) order[++n] = k; ours[k] = line
            }
            while ((getline line < remove) > 0) if (line != "") gone[line] = 1
            now = "all"
        }
        /^[ \t]*\[.*\]/ {
            next_section = $0; sub(/^[ \t]*\[/, "", next_section); sub(/\].*/, "", next_section)
            if (now == section) rest()
            flush(); now = next_section; print; next
        }
        function flush() { while (blanks > 0) { print ""; blanks-- } }
        /^[ \t]*$/ { blanks++; next }
        { flush() }
        now != section || /^[ \t]*#/ { print; next }
        { k = key($0) }
        k in ours { if (!(k in done)) print ours[k]; done[k] = 1; next }
        ($0 in gone) || (name($0) in gone) { next }
        { print }
        END {
            if (now != section) {
                left = 0
                for (i = 1; i <= n; i++) if (!(order[i] in done)) left = 1
                if (left) print "[" section "]"
            }
            rest(); flush()
        }' "$old" >"$SCRATCH.new"
    write_if_changed "$dir/config.txt" <"$SCRATCH.new"
fi

# cmdline.txt is one line.
old=$dir/cmdline.txt
if [ ! -f "$old" ]; then old=/dev/null; fi
if [ -n "$WITH_CMDLINE" ] || { [ -n "$WITH_REMOVE" ] && [ "$old" != /dev/null ]; }; then
    awk -v new="$SCRATCH.cmdline" -v remove="$SCRATCH.remove" '
        function name(text) { sub(/=.*/, "", text); return text }
        function key(text) { return name(text) == "console" ? text : name(text) }
        function add(text) { out = out (out == "" ? "" : " ") text }
        BEGIN {
            while ((getline line < new) > 0) if (line != "") {
                k = key(line); if (!(k in ours)) order[++n] = k; ours[k] = line
            }
            while ((getline line < remove) > 0) if (line != "") gone[line] = 1
        }
        {
            for (f = 1; f <= NF; f++) {
                k = key($f)
                if (k in ours) { if (!(k in done)) add(ours[k]); done[k] = 1 }
                else if (!(($f in gone) || (name($f) in gone))) add($f)
            }
        }
        END { for (i = 1; i <= n; i++) if (!(order[i] in done)) add(ours[order[i]]); print out }' "$old" >"$SCRATCH.new"
    write_if_changed "$dir/cmdline.txt" <"$SCRATCH.new"
fi
rm -f "$SCRATCH.config" "$SCRATCH.cmdline" "$SCRATCH.remove" "$SCRATCH.new"
