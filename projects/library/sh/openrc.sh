# Services of OpenRC: links in /etc/runlevels, as rc-update makes and removes them. Needs root.sh.

# openrc_has SERVICE
openrc_has() { [ -f "/etc/init.d/$1" ] && [ -x "/etc/init.d/$1" ]; }

# openrc_runlevels: prints the runlevels there are, on one line.
openrc_runlevels() { (cd /etc/runlevels && printf '%s ' *); }

# openrc_add SERVICE RUNLEVEL
openrc_add() {
    [ -d "/etc/runlevels/$2" ] || die "services: no such runlevel: $2; there are $(openrc_runlevels)"
    if [ -L "/etc/runlevels/$2/$1" ] && [ -e "/etc/runlevels/$2/$1" ]; then return 0; fi
    link_if_changed "/etc/init.d/$1" "/etc/runlevels/$2/$1"
}

# openrc_remove SERVICE [RUNLEVEL]: without one from all.
openrc_remove() {
    if [ -n "${2:-}" ]; then
        remove_if_there "/etc/runlevels/$2/$1"
        return 0
    fi
    for runlevel_dir in /etc/runlevels/*/; do
        remove_if_there "$runlevel_dir$1"
    done
}

# openrc_starts SERVICE [RUNLEVEL]: whether it is in that runlevel, or in any.
openrc_starts() {
    for runlevel_link in /etc/runlevels/${2:-*}/"$1"; do
        if [ -e "$runlevel_link" ]; then return 0; fi
    done
    return 1
}
