# Files with owner and mode. Needs root.sh and accounts.sh.

# own PATH UID GID: a link's own owner, not that of what it leads to.
own() {
    [ "$(stat -c %u:%g "$1")" = "$2:$3" ] || chown -h "$2:$3" "$1"
}

# make_directory PATH UID GID MODE: makes it and what is missing above it, all with that owner and mode; what is there stays as it is. The
# PATH ends with no slash: the root is the empty text.
make_directory() {
    if [ -d "$1/" ]; then return 0; fi
    if [ -e "$1" ] || [ -L "$1" ]; then die "$1 is to be a directory, and is there as something else"; fi
    case $1 in
    /*/*) make_directory "${1%/*}" "$2" "$3" "$4" ;;
    esac
    mkdir "$1"
    chown "$2:$3" "$1"
    chmod "$4" "$1"
}

# put_file SOURCE PATH UID GID MODE: PATH becomes a copy; a link in its place goes. MODE empty: as SOURCE is executable or not.
put_file() {
    put_mode=$5
    if [ -z "$put_mode" ]; then
        if [ -x "$1" ]; then put_mode=0755; else put_mode=0644; fi
    fi
    if [ -d "$2" ]; then die "$2 is to be a file, and is a directory"; fi
    if [ ! -f "$2" ] || [ -L "$2" ] || ! same "$1" "$2"; then
        cat "$1" >"$2.xtoo-new" || die "no file can be made in ${2%/*}"
        chown "$3:$4" "$2.xtoo-new"
        chmod "$put_mode" "$2.xtoo-new"
        mv -f "$2.xtoo-new" "$2"
        log "put $2"
        return 0
    fi
    if [ "$(stat -c %u:%g "$2")" != "$3:$4" ]; then
        chown "$3:$4" "$2"      # takes bits of the mode away: before it
        chmod "$put_mode" "$2"
    fi
    set_mode "$2" "$put_mode"
}

# put_tree SOURCE DIRECTORY UID GID MODE DIRECTORY_MODE PREFIX: what is in the directory SOURCE goes below DIRECTORY; names at the top get PREFIX before them.
put_tree() {
    find "$1/." ! -name . | sed "s|^.*/\./||" | LC_ALL=C sort >"$SCRATCH.tree"
    while IFS= read -r tree_name; do
        tree_from=$1/$tree_name tree_to=${2%/}/$7$tree_name
        if [ -L "$tree_from" ]; then
            link_if_changed "$(readlink "$tree_from")" "$tree_to"
            own "$tree_to" "$3" "$4"
        elif [ -d "$tree_from" ]; then
            make_directory "$tree_to" "$3" "$4" "$6"
        elif [ -f "$tree_from" ]; then
            put_file "$tree_from" "$tree_to" "$3" "$4" "$5"
        else
            die "$tree_from is no file, directory or link"
        fi
    done <"$SCRATCH.tree"
    rm -f "$SCRATCH.tree"
}
