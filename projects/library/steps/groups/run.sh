while IFS=$US read -r name gid members system state; do
    [ -n "$name" ] || continue
    if [ "$state" = absent ]; then
        gone=$(db /etc/group "$name" 3) || continue
        if user=$(awk -F: -v gid="$gone" '$4 == gid { print $1; found = 1; exit } END { exit !found }' /etc/passwd); then
            die "groups: $name is the primary group of $user: remove that user first"
        fi
        remove_group "$name"
        continue
    fi
    if has_gid=$(db /etc/group "$name" 3); then
        [ "${gid:-$has_gid}" = "$has_gid" ] || die "groups: $name is there with the number $has_gid, not $gid: remove it first (state: absent)"
    else
        [ -n "$gid" ] || gid=$(free_id "$system" /etc/group)
        if other=$(db_by_id /etc/group "$gid"); then die "groups: the number $gid of $name is that of $other"; fi
        new_group "$name" "$gid"
    fi
    for member in $(printf '%s\n' "$members" | tr ', ' '\n\n'); do
        need_user groups "$member"
        join_group "$name" "$member"
    done
done <<EOF
$WITH_GROUPS
EOF
