manager=$(init_system)
[ "$manager" != none ] || die "the image has neither OpenRC nor systemd"
for entry in $WITH_ARGS; do
    service=${entry%%@*} runlevel=
    case $manager,$entry in
    systemd,*@*.target) service=${entry%@*} runlevel=${entry##*@} ;;
    systemd,*@*.*) service=$entry ;;
    *@*) runlevel=${entry#*@} ;;
    esac
    if [ "$manager" = openrc ]; then
        openrc_has "$service" || die "there is no service $service"
        openrc_starts "$service" "$runlevel" || die "the service $service does not start at boot${runlevel:+ in the runlevel $runlevel}"
        continue
    fi
    service=$(unit_name "$service")
    unit_file "$service" >/dev/null || die "there is no unit $service"
    case $runlevel in
    *.target) ;;
    *) runlevel= ;;
    esac
    systemd_starts "$service" "$runlevel" || die "the unit $service is not enabled${runlevel:+ by $runlevel}"
done
