while IFS= read -r arg; do
    [ -n "$arg" ] || continue
    path=$arg mode=
    case $arg in
    *@[0-7][0-7][0-7]|*@[0-7][0-7][0-7][0-7]) path=${arg%@*} mode=${arg##*@} ;;
    esac
    case $path in
    */) [ -d "$path" ] || die "there is no directory $path" ;;
    /*) [ -e "$path" ] || die "there is no file $path" ;;
    *) die "a path is absolute: $path" ;;
    esac
    [ -z "$mode" ] || [ "$(stat -L -c %a "$path")" = "$(printf '%o' "0$mode")" ] || die "$path has the mode $(stat -L -c %a "$path"), not $mode"
done <<EOF
$WITH_ARGS
EOF
