file=$WITH_FILE
if [ ! -f "$file" ]; then
    [ "$WITH_CREATE" = true ] || die "edit: there is no file $file; create: true makes it"
    : >"$SCRATCH.old"
else
    cat "$file" >"$SCRATCH.old"
fi
[ -z "$(tail -c 1 "$SCRATCH.old")" ] || echo >>"$SCRATCH.old"

# numbers EXPRESSION: prints the numbers of the lines that match.
numbers() {
    if grep -nE -e "$1" "$SCRATCH.old" >"$SCRATCH.found"; then
        cut -d : -f 1 "$SCRATCH.found"
    else
        [ $? -eq 1 ] || die "edit: not an extended regular expression: $1"
    fi
}

# take_out: without the lines that match or that are the line.
take_out() {
    if [ -n "$WITH_MATCH" ]; then numbers "$WITH_MATCH" >"$SCRATCH.out"; else : >"$SCRATCH.out"; fi
    EDIT_LINE=$WITH_LINE awk -v out="$SCRATCH.out" '
        BEGIN { while ((getline number < out) > 0) gone[number] = 1 }
        !(NR in gone) && (ENVIRON["EDIT_LINE"] == "" || $0 != ENVIRON["EDIT_LINE"])' "$SCRATCH.old"
}

# put_in: the line once: where the first that matches stood, or where it is already, or after the last that matches `after`, or at the end.
put_in() {
    if [ -n "$WITH_MATCH" ]; then numbers "$WITH_MATCH" >"$SCRATCH.out"; else : >"$SCRATCH.out"; fi
    if [ -n "$WITH_AFTER" ]; then after=$(numbers "$WITH_AFTER" | tail -n 1); else after=; fi
    EDIT_LINE=$WITH_LINE awk -v out="$SCRATCH.out" -v after="${after:-0}" '
        BEGIN { line = ENVIRON["EDIT_LINE"]; while ((getline number < out) > 0) { gone[number] = 1; any = 1 } }
        NR == FNR { if ($0 == line) there = 1; next }
        any && FNR in gone { if (!done) print line; done = 1; next }
        any && $0 == line { next }
        { print }
        !any && !there && FNR == after { print line; done = 1 }
        END { if (!done && (any || !there)) print line }' "$SCRATCH.old" "$SCRATCH.old"
}

# substitute FILE: each match is replaced.
substitute() {
    one=$(printf '\001')      # no text of a configuration holds it
    sed -E "s$one$WITH_MATCH$one$WITH_REPLACE${one}g" "$1" || die "edit: not an extended regular expression, or not a replacement: $WITH_MATCH, $WITH_REPLACE"
}

if [ "$WITH_STATE" = absent ]; then
    [ -n "$WITH_LINE$WITH_MATCH" ] || die "edit: which line is to go? Give line or match"
    take_out >"$SCRATCH.new"
elif [ -n "$WITH_LINE" ]; then
    [ -z "$WITH_REPLACE" ] && [ "$WITH_REMOVE_MATCH" = false ] || die "edit: either line, or replace, or remove_match"
    put_in >"$SCRATCH.new"
elif [ -n "$WITH_MATCH" ] && { [ -n "$WITH_REPLACE" ] || [ "$WITH_REMOVE_MATCH" = true ]; }; then
    substitute "$SCRATCH.old" >"$SCRATCH.new"
    substitute "$SCRATCH.new" >"$SCRATCH.twice"
    same "$SCRATCH.new" "$SCRATCH.twice" || die "edit: what replaces \"$WITH_MATCH\" matches it again, and would be replaced each time: choose an expression that no longer matches, one with ^ or \$"
else
    die "edit: give line, or match with replace, or state: absent"
fi
write_if_changed "$file" <"$SCRATCH.new"
rm -f "$SCRATCH.old" "$SCRATCH.new" "$SCRATCH.out" "$SCRATCH.found" "$SCRATCH.twice"
