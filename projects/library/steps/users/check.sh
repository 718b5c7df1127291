while IFS= read -r arg; do
    [ -n "$arg" ] || continue
    name=${arg%%@*}
    db_has /etc/passwd "$name" || die "there is no user $name"
    case $arg in
    *@*) ;;
    *) continue ;;
    esac
    group=${arg#*@}
    gid=$(db /etc/group "$group" 3) || die "there is no group $group"
    in_list "$name" "$(db /etc/group "$group" 4)" || [ "$(db /etc/passwd "$name" 4)" = "$gid" ] || die "the user $name is not in the group $group"
done <<EOF
$WITH_ARGS
EOF
