[ -n "$WITH_SOURCE$WITH_DIRECTORIES$WITH_MODES" ] || die "files: give source, directories or modes"
owner_ids files "$WITH_OWNER" "$WITH_GROUP"
uid=$owner_uid gid=$owner_gid

if [ -d "$WITH_SOURCE" ]; then
    make_directory "${WITH_TO%/}" "$uid" "$gid" "$WITH_DIRECTORY_MODE"
    put_tree "$WITH_SOURCE" "$WITH_TO" "$uid" "$gid" "$WITH_MODE" "$WITH_DIRECTORY_MODE" ""
elif [ -n "$WITH_SOURCE" ]; then
    to=$WITH_TO
    case $to in
    */) to=$to${WITH_SOURCE##*/} ;;
    esac
    make_directory "${to%/*}" "$uid" "$gid" "$WITH_DIRECTORY_MODE"
    put_file "$WITH_SOURCE" "$to" "$uid" "$gid" "$WITH_MODE"
fi

while IFS= read -r directory; do
    case $directory in
    '') continue ;;
    /*) ;;
    *) die "files: a directory is an absolute path: $directory" ;;
    esac
    directory=${directory%/}
    make_directory "$directory" "$uid" "$gid" "$WITH_DIRECTORY_MODE"
    own "$directory" "$uid" "$gid"
    set_mode "$directory" "$WITH_DIRECTORY_MODE"
done <<EOF
$WITH_DIRECTORIES
EOF

# change PATH MODE OWNER GROUP
change() {
    now=$(stat -c %u:%g "$1")
    uid=${now%:*} gid=${now#*:}
    if [ -n "$3" ]; then
        owner_ids files "$3" "$4"
        uid=$owner_uid gid=$owner_gid
    elif [ -n "$4" ]; then
        owner_ids files "$uid" "$4"
        gid=$owner_gid
    fi
    was=$(stat -c %a "$1")
    own "$1" "$uid" "$gid"
    if [ ! -L "$1" ]; then set_mode "$1" "${2:-0$was}"; fi
}

while IFS=$US read -r pattern mode owner group; do
    [ -n "$pattern" ] || continue
    found=false
    IFS=
    # shellcheck disable=SC2086 # a pattern is meant
    for path in $pattern; do
        unset IFS
        if [ -e "$path" ] || [ -L "$path" ]; then
            change "$path" "$mode" "$owner" "$group"
            found=true
        fi
    done
    unset IFS
    [ "$found" = true ] || die "files: modes: nothing is there under $pattern"
done <<EOF
$WITH_MODES
EOF
