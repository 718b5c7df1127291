# Paths to be removed. Needs root.sh.

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
