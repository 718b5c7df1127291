# Not `command -v`: busybox's shell finds its own programs without looking.
# in_path NAME: whether a program of that name is in PATH, or is there under that path.
in_path() {
    case $1 in
    */*) [ -f "$1" ] && [ -x "$1" ]; return ;;
    esac
    dirs=$PATH:
    while [ -n "$dirs" ]; do
        dir=${dirs%%:*}
        dirs=${dirs#*:}
        if [ -f "${dir:-.}/$1" ] && [ -x "${dir:-.}/$1" ]; then return 0; fi
    done
    return 1
}

while IFS= read -r program; do
    [ -n "$program" ] || continue
    in_path "$program" || die "there is no program $program${PATH:+ (PATH is $PATH)}"
done <<EOF
$WITH_ARGS
EOF
