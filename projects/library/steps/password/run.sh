# is_crypt TEXT: whether it is a whole crypt, of one of the kinds that are in use.
is_crypt() {
    printf '%s\n' "$1" | grep -qE '^\$(5|6|y|gy|7|2[aby])\$[^:]*[A-Za-z0-9./]{31,}$'
}

# sha512_crypt FILE SALT: prints the crypt of the text in FILE. Every program here gives the same for the same salt; which one there is does not show.
sha512_crypt() {
    for crypt_with in openssl perl python3 mkpasswd; do
        has "$crypt_with" || continue
        # shellcheck disable=SC2016 # the $ are Perl's
        case $crypt_with in
        openssl) crypt_made=$(openssl passwd -6 -salt "$2" -stdin <"$1" 2>/dev/null) || continue ;;
        perl) crypt_made=$(perl -e 'my $p = <STDIN>; chomp $p; print crypt($p, q($6$) . $ARGV[0] . q($))' "$2" <"$1" 2>/dev/null) || continue ;;
        python3) crypt_made=$(python3 -W ignore -c 'import crypt,sys; print(crypt.crypt(sys.stdin.readline().rstrip("\n"), "$6$" + sys.argv[1] + "$"))' "$2" <"$1" 2>/dev/null) || continue ;;
        mkpasswd) crypt_made=$(mkpasswd -m sha512 -S "$2" -P 0 <"$1" 2>/dev/null || mkpasswd -m sha-512 -S "$2" -s <"$1" 2>/dev/null) || continue ;;
        esac
        case $crypt_made in
        "\$6\$$2\$"*) ;;
        *) continue ;;
        esac
        if [ "${#crypt_made}" -eq $((${#2} + 90)) ]; then printf '%s\n' "$crypt_made"; return 0; fi
    done
    die "password: nothing in the root makes crypt with SHA-512: install openssl (or perl, python3 before 3.13, mkpasswd), or give the crypt itself, as \`openssl passwd -6\` prints it"
}

# salt_of FILE: prints a salt that the user, the project, the salt given and the password decide. The last step is crypt itself: guessing
# a password by its salt takes as long as by its crypt.
salt_of() {
    first=$(printf '%s\n' "xtoo $WITH_USER" "${XTOO_PROJECT:-}" "$WITH_SALT" | sha512sum)
    salt_crypt=$(sha512_crypt "$1" "$(printf %.16s "$first")")
    printf %.16s "${salt_crypt##*\$}"
}

# crypt_wanted: prints what is to stand in /etc/shadow; nothing where no password is given.
crypt_wanted() {
    if [ -n "$WITH_HASHED" ]; then
        is_crypt "$WITH_HASHED" || die "password: hashed is no crypt: it begins with \$6\$ or \$y\$, say, as \`openssl passwd -6\` prints it"
        printf '%s\n' "$WITH_HASHED"
        return 0
    fi
    [ -n "$WITH_PASSWORD" ] || return 0
    text=$(cat "$WITH_PASSWORD")
    [ -n "$text" ] || die "password: the secret is empty"
    case $text in
    *"$NL"*) die "password: the secret has more than one line" ;;
    esac
    if is_crypt "$text"; then printf '%s\n' "$text"; return 0; fi
    printf '%s\n' "$text" >"$SCRATCH.text"
    salt=$(salt_of "$SCRATCH.text")
    sha512_crypt "$SCRATCH.text" "$salt"
    rm -f "$SCRATCH.text"
}

unset text crypt crypt_made salt_crypt      # names that the environment has would stay in it
need_user password "$WITH_USER"
[ -z "$WITH_HASHED" ] || [ -z "$WITH_PASSWORD" ] || die "password: either password or hashed"
umask 077
crypt=$(crypt_wanted)
umask 022
if [ -z "$crypt" ]; then
    [ "$WITH_LOCK" = true ] || die "password: give password or hashed, or lock: true"
    crypt=$(db /etc/shadow "$WITH_USER" 2) || crypt=
fi
if [ "$WITH_LOCK" = true ]; then
    case $crypt in
    '!'*|'*'*) ;;
    *) crypt="!$crypt" ;;
    esac
fi
word=$(db /etc/passwd "$WITH_USER" 2)
set_crypt "$WITH_USER" "$crypt"
if [ "$word" != x ]; then
    db_set /etc/passwd "$WITH_USER" "$(awk -F: -v OFS=: -v name="$WITH_USER" '$1 == name { $2 = "x"; print; exit }' /etc/passwd)"
fi
