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
        empty_directory "$path"
    done
    unset IFS
done <<EOF
$WITH_PATHS
EOF
