# What a root is, and how files in it are changed. Nothing is written that is there already, so that a step which is
# executed again leaves an empty layer.

# die TEXT: says what is wrong and what to do, and ends the step.
die() {
	printf '%s\n' "$*" >&2
	exit 1
}

# have PROGRAM: it is on the PATH.
have() { command -v "$1" >/dev/null 2>&1; }

# has_systemd, has_openrc: what starts the services of this root.
has_systemd() { [ -d /usr/lib/systemd/system ] || [ -d /lib/systemd/system ]; }
has_openrc() { [ -d /etc/init.d ] && { [ -x /sbin/openrc ] || [ -x /usr/sbin/openrc ] || [ -x /sbin/openrc-run ] || [ -x /usr/sbin/openrc-run ] || [ -x /sbin/rc ]; }; }

# put FILE [MODE]: writes standard input to FILE, unless FILE holds the same. Directories are made. MODE (default 0644) is for a
# file that was not there; one that was keeps its owner and mode.
put() {
	put_dir=${1%/*}
	[ -z "$put_dir" ] || [ "$put_dir" = "$1" ] || [ -d "$put_dir" ] || mkdir -p "$put_dir"
	cat >/tmp/.put
	if [ ! -f "$1" ]; then
		[ ! -e "$1" ] || die "$1: is in the way: it is no file"
		cat /tmp/.put >"$1"
		chmod "${2:-0644}" "$1"
	elif ! same /tmp/.put "$1"; then
		cat /tmp/.put >"$1"
	fi
	rm -f /tmp/.put
}

# same A B: both files hold the same bytes. cmp is not in every root.
same() {
	if have cmp; then
		cmp -s "$1" "$2"
	else
		[ "$(cksum <"$1")" = "$(cksum <"$2")" ]
	fi
}
