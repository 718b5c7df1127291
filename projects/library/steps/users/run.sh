# login_shell SYSTEM: prints the shell of a user who is given none.
login_shell() {
    if [ "$1" = true ]; then set -- /sbin/nologin /usr/sbin/nologin /bin/false; else set -- /bin/bash /bin/sh; fi
    for shell_try in "$@"; do
        if [ -e "$shell_try" ]; then echo "$shell_try"; return 0; fi
    done
    echo "$shell_try"
}

remove_user() {
    if ! db_has /etc/passwd "$1"; then
        db_set /etc/shadow "$1" ""
        return 0
    fi
    gone_gid=$(db /etc/passwd "$1" 4)
    db_set /etc/passwd "$1" ""
    db_set /etc/shadow "$1" ""
    for gone_group in $(awk -F: '{ print $1 }' /etc/group); do
        if in_list "$1" "$(db /etc/group "$gone_group" 4)"; then
            group_members "$gone_group" "$(without "$1" "$(db /etc/group "$gone_group" 4)")"
        fi
    done
    if [ "$(db /etc/group "$1" 3)" = "$gone_gid" ] && [ -z "$(db /etc/group "$1" 4)" ] &&
        ! awk -F: -v gid="$gone_gid" '$4 == gid { found = 1 } END { exit !found }' /etc/passwd; then
        remove_group "$1"
    fi
}

# primary_group NAME UID GROUP: prints its number; the user's own group is made where it is missing.
primary_group() {
    case $3 in
    '')
        if ! db_has /etc/group "$1"; then
            if db_by_id /etc/group "$2" >/dev/null; then die "users: $1 cannot have the group number $2, which is that of $(db_by_id /etc/group "$2"): give a group or another uid"; fi
            new_group "$1" "$2"
        fi
        db /etc/group "$1" 3
        ;;
    *[!0-9]*) db /etc/group "$3" 3 || die "users: no such group: $3; the step \`groups\` adds one" ;;
    *) db_by_id /etc/group "$3" >/dev/null && echo "$3" || die "users: no group has the number $3; the step \`groups\` adds one" ;;
    esac
}

make_home() {
    mkdir -p "${1%/*}/"
    mkdir "$1"
    if [ -d /etc/skel ]; then cp -R -p /etc/skel/. "$1/"; fi
    chown -R -h "$2:$3" "$1"
    home_mode=$(awk '$1 == "HOME_MODE" { print $2 }' /etc/login.defs 2>/dev/null | tail -n 1)
    chmod "${home_mode:-0700}" "$1"
    log "made $1"
}

# set_user NAME UID GROUP HOME SHELL COMMENT SYSTEM: what is empty stays, or gets a default where the user is new.
set_user() {
    if db_has /etc/passwd "$1"; then
        new=false uid=$(db /etc/passwd "$1" 3) gid=$(db /etc/passwd "$1" 4)
        [ "${2:-$uid}" = "$uid" ] || die "users: $1 is there with the uid $uid, not $2: remove it first (state: absent), its files are not searched for"
        [ -z "$3" ] || gid=$(primary_group "$1" "$uid" "$3")
        comment=${6:-$(db /etc/passwd "$1" 5)} home=${4:-$(db /etc/passwd "$1" 6)} shell=${5:-$(db /etc/passwd "$1" 7)}
        word=$(db /etc/passwd "$1" 2)
    else
        new=true uid=$2 word=x comment=$6 home=$4 shell=${5:-$(login_shell "$7")}
        if [ -z "$uid" ] && [ -z "$3" ] && ! db_by_id /etc/passwd "$(db /etc/group "$1" 3)" >/dev/null; then
            uid=$(db /etc/group "$1" 3 || true)
        fi
        [ -n "$uid" ] || uid=$(free_id "$7" /etc/passwd /etc/group)
        if db_by_id /etc/passwd "$uid" >/dev/null; then die "users: the uid $uid of $1 is that of $(db_by_id /etc/passwd "$uid")"; fi
        gid=$(primary_group "$1" "$uid" "$3")
        if [ -z "$home" ]; then
            if [ "$7" = true ]; then home=/; else home=/home/$1; fi
        fi
    fi
    db_set /etc/passwd "$1" "$1:$word:$uid:$gid:$comment:$home:$shell"
    if [ "$new" = true ]; then set_crypt "$1" '!'; fi
    if [ "$7" != true ] && [ "$home" != / ] && [ ! -e "$home" ]; then make_home "$home" "$uid" "$gid"; fi
}

while IFS=$US read -r name uid group groups home shell comment system state; do
    [ -n "$name" ] || continue
    if [ "$state" = absent ]; then
        remove_user "$name"
        continue
    fi
    wanted=$(printf '%s\n' "$groups" | tr ', ' '\n\n')
    for one in $wanted; do
        db_has /etc/group "$one" || die "users: no such group: $one, of $name; the step \`groups\` adds one"
    done
    set_user "$name" "$uid" "$group" "$home" "$shell" "$comment" "$system"
    for one in $wanted; do join_group "$one" "$name"; done
done <<EOF
$WITH_USERS
EOF
