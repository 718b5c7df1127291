# is_key LINE: whether it is a public key, with or without options before it.
is_key() {
    printf '%s\n' "$1" | grep -qE '(^|[ ,"])(ssh-(ed25519|rsa|dss)|ecdsa-sha2-nistp(256|384|521)|sk-(ssh-ed25519|ecdsa-sha2-nistp256)@openssh\.com|(ssh|ecdsa|sk)-[A-Za-z0-9.@-]*-cert-v01@openssh\.com) +AAAA[A-Za-z0-9+/]+={0,3}( |$)'
}

need_user ssh-keys "$WITH_USER"
: >"$SCRATCH.keys"
while IFS= read -r key; do
    [ -n "$key" ] || continue
    is_key "$key" || die "ssh-keys: no public key: \"$key\"; each is a text of its own in a list (a text alone is divided at its blanks)"
    printf '%s\n' "$key" >>"$SCRATCH.keys"
done <<EOF
$WITH_KEYS
EOF
if [ -n "$WITH_FILE" ]; then
    while IFS= read -r key || [ -n "$key" ]; do
        key=${key%"$(printf '\r')"}
        case $key in
        ''|'#'*) continue ;;
        esac
        is_key "$key" || die "ssh-keys: $WITH_FILE holds a line that is no public key: \"$key\""
        printf '%s\n' "$key" >>"$SCRATCH.keys"
    done <"$WITH_FILE"
fi
[ -s "$SCRATCH.keys" ] || [ "$WITH_ONLY" = true ] || die "ssh-keys: give keys, a file, or only: true"

dir=$user_home/.ssh
file=$dir/authorized_keys
if [ -f "$file" ]; then cat "$file" >"$SCRATCH.old"; else : >"$SCRATCH.old"; fi
[ -z "$(tail -c 1 "$SCRATCH.old")" ] || echo >>"$SCRATCH.old"
if [ "$WITH_STATE" = absent ]; then
    grep -vxF -f "$SCRATCH.keys" "$SCRATCH.old" >"$SCRATCH.new" || true
elif [ "$WITH_ONLY" = true ]; then
    awk '!seen[$0]++' "$SCRATCH.keys" >"$SCRATCH.new"
else
    cat "$SCRATCH.old" "$SCRATCH.keys" | awk '!seen[$0]++ || /^(#.*)?$/' >"$SCRATCH.new"
fi
if [ -e "$file" ] || [ -s "$SCRATCH.new" ]; then
    [ -d "$user_home" ] || die "ssh-keys: $WITH_USER has no home: $user_home"
    if [ ! -d "$dir" ]; then
        mkdir "$dir"
        chown "$user_uid:$user_gid" "$dir"
        chmod 0700 "$dir"
    fi
    write_if_changed "$file" 0600 <"$SCRATCH.new"
    [ "$(stat -c %u:%g "$file")" = "$user_uid:$user_gid" ] || chown "$user_uid:$user_gid" "$file"
fi
rm -f "$SCRATCH.keys" "$SCRATCH.old" "$SCRATCH.new"
