while IFS= read -r pattern; do
    [ -n "$pattern" ] || continue
    check_path remove "$pattern"
    IFS=
    # shellcheck disable=SC2086 # a pattern is meant
    for path in $pattern; do
        unset IFS
        [ -e "$path" ] || [ -L "$path" ] || continue
        path=$(plain "$path")
        if vital "$path"; then die "remove: the root does not work without $path"; fi
        if [ ! -L "$path" ]; then
            mounted=$(mounts_below "$path" | head -n 1)
            [ -z "$mounted" ] || die "remove: $mounted is a volume of this node, and is no part of the image: take it from the node, or name what is beside it"
        fi
        rm -rf "$path" || die "remove: $path cannot be removed"
        log "removed $path"
    done
    unset IFS
done <<EOF
$WITH_PATHS
EOF
