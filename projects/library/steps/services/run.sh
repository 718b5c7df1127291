# split ENTRY RUNLEVEL: sets service and runlevel from `NAME@RUNLEVEL` or `NAME|RUNLEVEL`. With systemd what follows the @ of an instance is no runlevel.
split() {
    service=$1 runlevel=$2
    case $1 in
    *'|'*) service=${1%%|*} runlevel=${1#*|} ;;
    *@*)
        case $manager,$1 in
        systemd,*@*.target|systemd,*.*@*) service=${1%@*} runlevel=${1##*@} ;;
        systemd,*@*.*) ;;
        *) service=${1%%@*} runlevel=${1#*@} ;;
        esac
        ;;
    esac
    case $service in
    ''|-*|.*|*/*) die "services: no name of a service: \"$1\"" ;;
    esac
    [ "$manager" = openrc ] || service=$(unit_name "$service")
}

# target RUNLEVEL: prints it where it is a target of systemd, and nothing for a runlevel of OpenRC.
target() {
    case $1 in
    *.target) echo "$1" ;;
    esac
}

# there SERVICE: whether the root has it.
there() {
    if [ "$manager" = openrc ]; then openrc_has "$1"; else unit_file "$1" >/dev/null; fi
}

manager=$WITH_MANAGER
[ "$manager" != auto ] || manager=$(init_system)
[ "$manager" != none ] || die "services: the root has neither OpenRC nor systemd: install one"
[ -n "$WITH_ADD$WITH_REMOVE$WITH_MASK" ] || die "services: give add, remove or mask"

for entry in $WITH_REMOVE; do
    split "$entry" ""
    if [ "$manager" = openrc ]; then
        openrc_remove "$service" "$runlevel"
    else
        systemd_disable "$service" "$(target "$runlevel")"
    fi
done
for entry in $WITH_MASK; do
    split "$entry" ""
    if [ "$manager" = openrc ]; then openrc_remove "$service"; else systemd_mask "$service"; fi
done
for entry in $WITH_ADD; do
    split "$entry" "$WITH_RUNLEVEL"
    if ! there "$service"; then
        [ "$WITH_MISSING" = skip ] || die "services: no such service: $service; install what it belongs to, or say missing: skip"
        log "services: $service is not there: left out"
    elif [ "$manager$WITH_MISSING" = systemdskip ] && [ -z "$(target "$runlevel")" ] && unit_is_static "$service"; then
        log "services: $service says in no [Install] what wants it, so that others start it: left out"
    elif [ "$manager" = openrc ]; then
        openrc_add "$service" "$runlevel"
    else
        systemd_enable "$service" "$(target "$runlevel")"
    fi
done
