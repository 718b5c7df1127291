# What every step may use: messages, files, and what the root is. Sourced under `set -eu`.
NL='
'
US=$(printf '\037')                     # stands between the fields of a record
TAB=$(printf '\t')
SCRATCH=${TMPDIR:-/tmp}/xtoo-step.$$    # what files are called while they are made: below /tmp, so in no layer
umask 022

# die TEXT: ends the step; TEXT says what is wrong and what to do.
die() { printf 'error: %s\n' "$*" >&2; exit 1; }

log() { printf '%s\n' "$*" >&2; }

# has PROGRAM
has() { command -v "$1" >/dev/null 2>&1; }

# same A B: both files hold the same bytes. cmp is not in every root.
same() {
    if has cmp; then cmp -s "$1" "$2"; else [ "$(cksum <"$1")" = "$(cksum <"$2")" ]; fi
}

# whole FILE: a link in place of FILE goes if it leads nowhere, or to where nothing is kept (a file written through it would be lost).
whole() {
    [ -L "$1" ] || return 0
    if [ -e "$1" ]; then
        case $(readlink -f "$1") in
        /run/*|/var/run/*|/proc/*|/sys/*|/dev/*|/tmp/*) ;;
        *) return 0 ;;
        esac
    fi
    rm -f "$1"
}

# write_if_changed FILE [MODE]: FILE gets what comes on standard input, unless it has it. A file that is there keeps its owner, and its mode where
# none is given; a new one gets 0644. What feeds it must be complete before (a file, a here-document): a pipe hides that its program failed.
write_if_changed() {
    cat >"$SCRATCH.write"
    whole "$1"
    if [ ! -e "$1" ]; then
        mkdir -p "${1%/*}/"
        cat "$SCRATCH.write" >"$1"
        chmod "${2:-0644}" "$1"
        log "made $1"
    elif [ ! -f "$1" ]; then
        rm -f "$SCRATCH.write"
        die "$1 is to be written, and is no file"
    else
        if ! same "$SCRATCH.write" "$1"; then
            cat "$SCRATCH.write" >"$1"
            log "changed $1"
        fi
        [ -z "${2:-}" ] || set_mode "$1" "$2"
    fi
    rm -f "$SCRATCH.write"
}

# set_mode FILE MODE: MODE in octal digits.
set_mode() {
    [ "$(stat -c %a "$1")" = "$(printf '%o' "0$2")" ] || chmod "$2" "$1"
}

# link_if_changed TARGET LINK: LINK leads to TARGET; a file in its place goes.
link_if_changed() {
    if [ -L "$2" ] && [ "$(readlink "$2")" = "$1" ]; then return 0; fi
    if [ -d "$2" ] && [ ! -L "$2" ]; then die "$2 is to be a link, and is a directory"; fi
    mkdir -p "${2%/*}/"
    rm -f "$2"
    ln -s "$1" "$2"
    log "linked $2 to $1"
}

# ensure_line FILE LINE: LINE stands in FILE, at its end where it was missing.
ensure_line() {
    if [ -f "$1" ]; then
        if grep -qxF -e "$2" "$1"; then return 0; fi
        cat "$1" >"$SCRATCH.line"
        [ -z "$(tail -c 1 "$1")" ] || echo >>"$SCRATCH.line"
    else
        : >"$SCRATCH.line"
    fi
    printf '%s\n' "$2" >>"$SCRATCH.line"
    write_if_changed "$1" <"$SCRATCH.line"
    rm -f "$SCRATCH.line"
}

# remove_if_there PATH: a file or link.
remove_if_there() {
    if [ -e "$1" ] || [ -L "$1" ]; then
        rm -f "$1"
        log "removed $1"
    fi
}

# init_system: prints what starts services: openrc, systemd or none. Where both are there, what /sbin/init is decides.
init_system() {
    init_found=none
    for init_path in /sbin/openrc /sbin/openrc-run /usr/bin/openrc; do
        if [ -e "$init_path" ] && [ -d /etc/runlevels ]; then init_found=openrc; fi
    done
    for init_path in /usr/lib/systemd/systemd /lib/systemd/systemd; do
        [ -e "$init_path" ] || continue
        if [ "$init_found" = none ]; then init_found=systemd; fi
        case $(readlink -f /sbin/init 2>/dev/null) in
        */systemd) init_found=systemd ;;
        esac
    done
    echo "$init_found"
}

# distro: prints the ID of os-release: gentoo, funtoo, debian, alpine, …; unknown where there is none.
distro() {
    distro_id=$(sed -n 's/^ID=//p' /etc/os-release 2>/dev/null | head -n 1 | tr -d "\"'") || distro_id=
    if [ -z "$distro_id" ] && [ -e /etc/gentoo-release ]; then distro_id=gentoo; fi
    echo "${distro_id:-unknown}"
}

# libc: prints musl or glibc.
libc() {
    for libc_loader in /lib/ld-musl-* /usr/lib/ld-musl-*; do
        if [ -e "$libc_loader" ]; then echo musl; return 0; fi
    done
    echo glibc
}
