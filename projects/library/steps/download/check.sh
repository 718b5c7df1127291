while IFS= read -r program; do
    [ -n "$program" ] || continue
    path=$(command -v "$program") || die "there is no program $program in $PATH"
    case $path in
    /*) [ -x "$path" ] || die "$path may not be executed" ;;
    *) die "$program is no program, but something of the shell" ;;
    esac
done <<EOF
$WITH_ARGS
EOF
