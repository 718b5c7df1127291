# empty_beside PATH: what is in PATH, except for mount points and the directories above them.
empty_beside() {
    find "$1" -xdev -mindepth 1 ! -type d -exec rm -f {} +
    mounts_below "$1" >"$SCRATCH.mounts"
    find "$1" -xdev -mindepth 1 -depth -type d >"$SCRATCH.dirs"
    while IFS= read -r dir; do
        [ -n "$(EMPTY_DIR=$dir awk '$0 == ENVIRON["EMPTY_DIR"] || index($0, ENVIRON["EMPTY_DIR"] "/") == 1' "$SCRATCH.mounts")" ] || rmdir "$dir"
    done <"$SCRATCH.dirs"
    rm -f "$SCRATCH.mounts" "$SCRATCH.dirs"
}

while IFS= read -r pattern; do
    [ -n "$pattern" ] || continue
    check_path empty "$pattern"
    IFS=
    # shellcheck disable=SC2086 # a pattern is meant
    for path in $pattern; do
        unset IFS
        [ -e "$path" ] || [ -L "$path" ] || continue
        [ -d "$path" ] || die "empty: $path is no directory"
        path=$(readlink -f "$path")
        if vital "$path"; then die "empty: the root does not work with $path empty"; fi
        mounted=$(mounts_below "$path")
        case $NL$mounted$NL in
        "$NL$NL") find "$path" -mindepth 1 -maxdepth 1 -exec rm -rf {} + || die "empty: $path cannot be emptied" ;;
        *"$NL$path$NL"*) log "empty: $path is a volume of this node, and is no part of the image: it stays as it is" ;;
        *) empty_beside "$path" ;;
        esac
    done
    unset IFS
done <<EOF
$WITH_PATHS
EOF
