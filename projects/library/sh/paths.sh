# Paths to be removed, directories to be emptied. Needs root.sh.

# check_path STEP PATH: dies for what is no absolute path, or has .. in it.
check_path() {
    case $2 in
    /*) ;;
    *) die "$1: a path is absolute: \"$2\"" ;;
    esac
    case $2/ in
    */../*) die "$1: a path without ..: \"$2\"" ;;
    esac
}

# plain PATH: prints it without slashes at its end, or twice, and without /./.
plain() { printf '%s\n' "$1" | sed 's|//*|/|g; s|/\(\./\)*|/|g; s|/\.$||; s|\(.\)/$|\1|'; }

# vital PATH: whether a root without it, or with it empty, does not work.
vital() {
    case $1 in
    ''|/|/bin|/dev|/etc|/lib|/lib32|/lib64|/proc|/sbin|/sys|/run|/usr|/usr/bin|/usr/lib|/usr/lib64|/usr/sbin) return 0 ;;
    esac
    return 1
}

# mounts_below PATH: prints the mount points that are PATH or below it: volumes, which are no part of the image.
mounts_below() {
    PATH_BELOW=$(readlink -f "$1") awk '
        $5 == ENVIRON["PATH_BELOW"] || index($5, ENVIRON["PATH_BELOW"] "/") == 1 { print $5 }' /proc/self/mountinfo
}

# empty_directory PATH: what is in PATH, an absolute one without links, goes; mount points and the directories above them stay.
empty_directory() {
    empty_mounted=$(mounts_below "$1")
    case $NL$empty_mounted$NL in
    "$NL$NL") find "$1" -mindepth 1 -maxdepth 1 -exec rm -rf {} + || die "empty: $1 cannot be emptied" ;;
    *"$NL$1$NL"*) log "empty: $1 is a volume of this node, and is no part of the image: it stays as it is" ;;
    *) empty_beside "$1" ;;
    esac
}

# empty_beside PATH: what is in PATH, except for mount points and the directories above them.
empty_beside() {
    find "$1" -xdev -mindepth 1 ! -type d -exec rm -f {} +
    mounts_below "$1" >"$SCRATCH.mounts"
    find "$1" -xdev -mindepth 1 -depth -type d >"$SCRATCH.dirs"
    while IFS= read -r dir; do
        [ -n "$(EMPTY_DIR=$dir awk '$0 == ENVIRON["EMPTY_DIR"] || index($0, ENVIRON["EMPTY_DIR"] "/") == 1' "$SCRATCH.mounts")" ] || rmdir "$dir"
    done <"$SCRATCH.dirs"
    rm -f "$SCRATCH.mounts" "$SCRATCH.dirs"
}
