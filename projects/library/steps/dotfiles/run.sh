prefix=
if [ "$WITH_DOT" = true ]; then prefix=.; fi

# put_into DIRECTORY UID GID
put_into() {
    if [ -d "$WITH_SOURCE" ]; then
        put_tree "$WITH_SOURCE" "$1" "$2" "$3" "$WITH_MODE" "$WITH_DIRECTORY_MODE" "$prefix"
    else
        put_file "$WITH_SOURCE" "$1/$prefix${WITH_SOURCE##*/}" "$2" "$3" "$WITH_MODE"
    fi
}

[ -e "$WITH_SOURCE" ] || die "dotfiles: give a source"
for user in $WITH_USERS; do
    need_user dotfiles "$user"
    [ -d "$user_home" ] || die "dotfiles: $user has no home: $user_home"
    put_into "${user_home%/}" "$user_uid" "$user_gid"
done
if [ "$WITH_SKEL" = true ]; then
    make_directory /etc/skel 0 0 0755
    put_into /etc/skel 0 0
fi
