# conf FILE: what FILE of OpenRC holds, with the line hostname= that it should have.
conf() {
    awk -v name="$WITH_NAME" '
        /^[ \t]*hostname=/ && !done { print "hostname=\"" name "\""; done = 1; next }
        /^[ \t]*hostname=/ { next }
        { print }
        END { if (!done) print "hostname=\"" name "\"" }' "$1"
}

# OpenRC's own file names the machine on Gentoo and Funtoo; elsewhere, Alpine say, it reads /etc/hostname.
if [ -f /etc/conf.d/hostname ]; then
    conf /etc/conf.d/hostname >/tmp/hostname.conf
    write_if_changed /etc/conf.d/hostname </tmp/hostname.conf
fi
printf '%s\n' "$WITH_NAME" | write_if_changed /etc/hostname

if [ "$WITH_HOSTS" = true ]; then
    [ -f /etc/hosts ] || printf '127.0.0.1\tlocalhost\n::1\tlocalhost\n' | write_if_changed /etc/hosts
    # One line for it, as Debian has: a name of its own beside those of localhost. The short name goes with the long one.
    short=${WITH_NAME%%.*}
    names=$WITH_NAME
    [ "$short" = "$WITH_NAME" ] || names="$WITH_NAME $short"
    awk -v names="$names" '
        $1 == "127.0.1.1" { if (!done) print "127.0.1.1\t" names; done = 1; next }
        { print }
        END { if (!done) print "127.0.1.1\t" names }' /etc/hosts >/tmp/hosts
    write_if_changed /etc/hosts </tmp/hosts
fi
