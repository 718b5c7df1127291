# Users and groups, in the files themselves: useradd and its like differ between roots, leave copies behind, and write down the day.
# Needs root.sh.

# account_name WHAT NAME: dies where NAME could not be one.
account_name() {
    case $2 in
    ''|-*|*[!A-Za-z0-9_.-]*) die "$1: not a name: \"$2\" (letters, digits, and _ . -)" ;;
    *[!0-9]*) ;;
    *) die "$1: a name of digits alone would be taken for a number: \"$2\"" ;;
    esac
}

# db FILE NAME FIELD: prints a field of the line of NAME; fails where there is no such line.
db() {
    [ -f "$1" ] || return 1
    DB_NAME=$2 awk -F: -v field="$3" '
        $1 == ENVIRON["DB_NAME"] { print $field; found = 1; exit }
        END { exit !found }' "$1"
}

# db_has FILE NAME
db_has() { db "$1" "$2" 1 >/dev/null; }

# db_by_id FILE ID: prints the name with the number ID; fails where there is none.
db_by_id() {
    DB_ID=$2 awk -F: '
        $3 == ENVIRON["DB_ID"] { print $1; found = 1; exit }
        END { exit !found }' "$1"
}

# db_set FILE NAME LINE [MODE]: LINE stands in the place of NAME's, or at the end; with an empty LINE there is none. MODE: of a new file.
db_set() {
    if [ -f "$1" ]; then db_old=$1; else db_old=/dev/null; fi
    printf '%s\n' "$3" >"$SCRATCH.dbline"      # not in the environment of awk: it may hold a crypt
    DB_NAME=$2 awk -F: '
        NR == 1 { line = $0; next }
        $1 != ENVIRON["DB_NAME"] { print; next }
        !done { if (line != "") print line; done = 1 }
        END { if (!done && line != "") print line }' "$SCRATCH.dbline" "$db_old" >"$SCRATCH.db"
    if [ "$db_old" = /dev/null ]; then
        write_if_changed "$1" "${4:-0644}" <"$SCRATCH.db"
    else
        write_if_changed "$1" <"$SCRATCH.db"
    fi
    rm -f "$SCRATCH.db" "$SCRATCH.dbline"
}

# free_id SYSTEM FILE…: prints the first number that is free in all FILEs; for SYSTEM=true from 999 down, else from 1000 up.
free_id() {
    if [ "$1" = true ]; then set -- 999 -1 100 "$2" "${3:-/dev/null}"; else set -- 1000 1 60000 "$2" "${3:-/dev/null}"; fi
    awk -F: -v id="$1" -v step="$2" -v last="$3" '
        { used[$3] = 1 }
        END { while (id in used && id != last) id += step; print id; exit id == last }' "$4" "$5" ||
        die "no number is left for another user or group"
}

# shadow_day: prints the day, since 1970, that stands for that of a change of a password. Never 0: that asks for a new one at once.
shadow_day() {
    case ${SOURCE_DATE_EPOCH:-} in
    ''|*[!0-9]*) ;;
    *) [ "$SOURCE_DATE_EPOCH" -lt 86400 ] || { echo $((SOURCE_DATE_EPOCH / 86400)); return 0; } ;;
    esac
    echo 1
}

# in_list ITEM LIST: LIST is separated by commas.
in_list() {
    case ",$2," in
    *",$1,"*) return 0 ;;
    esac
    return 1
}

# without ITEM LIST: prints LIST without ITEM.
without() { printf '%s\n' "$2" | tr , '\n' | grep -vxF -e "$1" | paste -s -d , - || true; }

# new_group NAME GID
new_group() {
    db_set /etc/group "$1" "$1:x:$2:"
    [ ! -f /etc/gshadow ] || db_set /etc/gshadow "$1" "$1:!::"
}

# remove_group NAME
remove_group() {
    db_set /etc/group "$1" ""
    [ ! -f /etc/gshadow ] || db_set /etc/gshadow "$1" ""
}

# group_members GROUP LIST: GROUP has exactly the members of LIST.
group_members() {
    db_set /etc/group "$1" "$1:$(db /etc/group "$1" 2):$(db /etc/group "$1" 3):$2"
    if [ -f /etc/gshadow ] && db_has /etc/gshadow "$1"; then
        db_set /etc/gshadow "$1" "$1:$(db /etc/gshadow "$1" 2):$(db /etc/gshadow "$1" 3):$2"
    fi
}

# join_group GROUP USER
join_group() {
    members=$(db /etc/group "$1" 4)
    in_list "$2" "$members" || members=${members:+$members,}$2
    group_members "$1" "$members"
}

# set_crypt USER CRYPT: the field of /etc/shadow; the day is set where it changes.
set_crypt() {
    if shadow_rest=$(shadow_line "$1"); then
        [ "$(db /etc/shadow "$1" 2)" != "$2" ] || return 0
        db_set /etc/shadow "$1" "$1:$2:$(shadow_day):$shadow_rest"
    else
        db_set /etc/shadow "$1" "$1:$2:$(shadow_day):0:99999:7:::" 0600
    fi
}

# shadow_line USER: prints what follows the day in USER's line of /etc/shadow; fails where there is no line.
shadow_line() {
    db_has /etc/shadow "$1" || return 1
    DB_NAME=$1 awk -F: '$1 == ENVIRON["DB_NAME"] { sub(/^[^:]*:[^:]*:[^:]*:/, ""); print; exit }' /etc/shadow
}

# need_user WHAT USER: dies where there is no such user; else sets user_uid, user_gid, user_home.
need_user() {
    user_uid=$(db /etc/passwd "$2" 3) || die "$1: no such user: $2; the step \`users\` adds one"
    user_gid=$(db /etc/passwd "$2" 4)
    user_home=$(db /etc/passwd "$2" 6)
}

# owner_ids WHAT OWNER GROUP: sets owner_uid and owner_gid from names or numbers; without a GROUP it is the owner's, or of the owner's number.
owner_ids() {
    case $2 in
    *[!0-9]*|'')
        need_user "$1" "$2"
        owner_uid=$user_uid owner_gid=$user_gid
        ;;
    *) owner_uid=$2 owner_gid=$2 ;;
    esac
    case $3 in
    '') ;;
    *[!0-9]*) owner_gid=$(db /etc/group "$3" 3) || die "$1: no such group: $3; the step \`groups\` adds one" ;;
    *) owner_gid=$3 ;;
    esac
}
