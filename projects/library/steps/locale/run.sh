# locale_line LOCALE: prints the line of locale.gen for `NAME` or `NAME/CHARSET`.
locale_line() {
    locale_name=${1%%/*}
    case $1 in
    */*) echo "$locale_name ${1#*/}" ;;
    *.*@*) locale_set=${1#*.}; echo "$locale_name ${locale_set%%@*}" ;;
    *.*) echo "$locale_name ${1#*.}" ;;
    *@euro) echo "$locale_name ISO-8859-15" ;;
    *) die "locale: which charset has $1? Write $1.UTF-8, or $1/CHARSET" ;;
    esac
}

# locale_known NAME: whether programs of the root know it.
locale_known() {
    case $1 in
    C|POSIX|C.UTF-8|C.utf8) return 0 ;;
    esac
    locale -a 2>/dev/null | grep -qixF -e "$1" -e "$(printf '%s\n' "$1" | sed 's/\.UTF-8/.utf8/')"
}

generate() {
    : >"$SCRATCH.gen"
    known=true
    for one in $WITH_LOCALES; do
        line=$(locale_line "$one")
        printf '%s\n' "$line" >>"$SCRATCH.gen"
        locale_known "${line% *}" || known=false
    done
    if has locale-gen; then
        if [ "$known" = false ] || ! same "$SCRATCH.gen" /etc/locale.gen; then
            write_if_changed /etc/locale.gen <"$SCRATCH.gen"
            locale-gen >&2 || die "locale: locale-gen failed"
        fi
    elif [ "$known" = false ]; then
        has localedef || die "locale: the root has neither locale-gen nor localedef (Debian: install locales)"
        mkdir -p /usr/lib/locale
        while read -r name charset; do
            if locale_known "$name"; then continue; fi
            localedef -i "$(printf '%s\n' "$name" | sed 's/\.[^@]*//')" -f "$charset" "$name" || die "locale: localedef failed for $name (are /usr/share/i18n's files there?)"
        done <"$SCRATCH.gen"
    fi
    while read -r name charset; do
        locale_known "$name" || die "locale: $name was generated, and \`locale -a\` does not name it"
    done <"$SCRATCH.gen"
    rm -f "$SCRATCH.gen"
}

# assignments PREFIX QUOTE: prints a line a variable.
assignments() {
    printf '%s\n' "LANG=$WITH_LANG" "$WITH_VARIABLES" | while IFS= read -r one; do
        [ -n "${one#*=}" ] || continue
        printf '%s%s=%s%s%s\n' "$1" "${one%%=*}" "$2" "${one#*=}" "$2"
    done
}

while IFS='=' read -r name value; do
    case $name,$value in
    ,) ;;
    LC_*,*[!A-Za-z0-9_.@-]*|LANGUAGE,*[!A-Za-z0-9_.@:-]*) die "locale: not a locale: $name: $value" ;;
    LC_*|LANGUAGE,*) ;;
    *) die "locale: no variable of locales: $name; they are LC_… and LANGUAGE" ;;
    esac
done <<EOF
$WITH_VARIABLES
EOF

if [ "$(libc)" = musl ]; then
    log "locale: the root's C library is musl: nothing is generated"
else
    [ -z "$WITH_LOCALES" ] || generate
    if has locale && ! locale_known "$WITH_LANG"; then die "locale: the root does not have $WITH_LANG: name it in locales"; fi
fi

assignments '' '"' >"$SCRATCH.quoted"
assignments '' '' >"$SCRATCH.plain"
written=false
if [ -d /etc/env.d ]; then
    before=$(cat /etc/env.d/02locale 2>/dev/null) || before=
    write_if_changed /etc/env.d/02locale <"$SCRATCH.quoted"
    if [ "$before" != "$(cat "$SCRATCH.quoted")" ] && has env-update; then env-update --no-ldconfig >&2 || die "locale: env-update failed"; fi
    written=true
fi
if [ "$(init_system)" = systemd ] || [ -e /etc/locale.conf ]; then
    write_if_changed /etc/locale.conf <"$SCRATCH.plain"
    written=true
fi
if [ -e /etc/default/locale ] || { [ -e /etc/debian_version ] && [ "$written" = false ]; }; then
    whole /etc/default/locale
    # On later Debian it is a link to locale.conf.
    if [ "$(readlink -f /etc/default/locale)" != /etc/locale.conf ]; then write_if_changed /etc/default/locale <"$SCRATCH.plain"; fi
    written=true
fi
if [ "$written" = false ]; then
    assignments 'export ' '"' >"$SCRATCH.quoted"
    write_if_changed /etc/profile.d/20locale.sh <"$SCRATCH.quoted"
fi
rm -f "$SCRATCH.quoted" "$SCRATCH.plain"
