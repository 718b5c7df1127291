# rc_settings: what OpenRC is told about the container.
rc_settings() {
    [ -f /etc/rc.conf ] || return 0
    rc_setting rc_sys "$(rc_sys)"
    # Where the runtime brings the network up, no service does, and others need one that says so.
    [ "$WITH_TARGET" = lxd ] || grep -q '^rc_provide=' /etc/rc.conf || rc_setting rc_provide "loopback net"
}

# rc_sys: prints the name that the services know the container by: Funtoo's know lxd, those of others lxc.
rc_sys() {
    if [ "$WITH_TARGET" = docker ]; then
        echo docker
    elif [ "$(distro)" != funtoo ] && ! grep -qsw -e -lxd /etc/init.d/* && grep -qsw -e -lxc /etc/init.d/*; then
        echo lxc
    else
        echo lxd
    fi
}

# rc_setting NAME TEXT: sets a variable of rc.conf, once.
rc_setting() {
    NAME=$1 TEXT=$2 awk '
        BEGIN { name = ENVIRON["NAME"]; line = name "=\"" ENVIRON["TEXT"] "\"" }
        index($0, name "=") == 1 { if (!done) print line; done = 1; next }
        { print }
        END { if (!done) print line }' /etc/rc.conf >"$SCRATCH.rc"
    write_if_changed /etc/rc.conf <"$SCRATCH.rc"
    rm -f "$SCRATCH.rc"
}

# rc_services: what is for hardware, or for what the runtime does, is in no runlevel.
rc_services() {
    for service in udev udev-trigger udev-settle udev-postmount mdev hwdrivers kmod-static-nodes dmesg; do
        openrc_remove "$service" sysinit
    done
    for service in sysctl hostname loopback bootmisc hwclock swclock modules modules-load keymaps consolefont save-keymaps termencoding \
        save-termencoding swap fsck root seedrng urandom; do
        openrc_remove "$service" boot
    done
}

# init_lines: no terminals, and what ends the container: SIGINT (ctrlaltdel), or SIGPWR, as LXC has it.
init_lines() {
    file=/etc/inittab
    [ -f "$file" ] || return 0
    if inittab_is_busybox "$file"; then
        # Busybox' init ends only by becoming another program, which is what restart is for; it stops the services before.
        printf '::ctrlaltdel:/bin/kill -QUIT 1\n::restart:/bin/true\n' >"$SCRATCH.ours"
    else
        printf 'ca:12345:ctrlaltdel:/sbin/init 0\npf:12345:powerwait:/sbin/init 0\nxh:06:once:/sbin/container-halt\n' >"$SCRATCH.ours"
        halt_script
    fi
    awk -F: -v ours="$SCRATCH.ours" '
        BEGIN { while ((getline line < ours) > 0) { order[++n] = line; split(line, field, ":"); mine[field[3]] = 1; if (field[1] != "") mine[field[1] ":"] = 1; text[line] = 1 } }
        /^[ \t]*(#|$)/ { print; next }
        $0 in text { print; done[$0] = 1; next }
        (($3 in mine) && $3 != "once") || (($1 ":") in mine) || $3 ~ /^power/ { print "#" $0; next }
        $3 ~ /^(respawn|askfirst|ondemand)$/ && ($4 ~ /getty/ || $1 ~ /^(c|tty)/) { print "#" $0; next }
        { print }
        END { for (i = 1; i <= n; i++) if (!(order[i] in done)) print order[i] }' "$file" >"$SCRATCH.inittab"
    write_if_changed "$file" <"$SCRATCH.inittab"
    rm -f "$SCRATCH.ours" "$SCRATCH.inittab"
}

# halt_script: what ends sysvinit, which has no end of its own but for the kernel's reboot.
halt_script() {
    write_if_changed /sbin/container-halt 0755 <<'EOF'
#!/bin/sh
# Ends the container, when all services are stopped: the last that init executes. Where the container may not halt (it lacks CAP_SYS_BOOT,
# as those of docker and podman do), init is told to execute itself anew (telinit u): this it finds in its place, and this ends.
PATH=/sbin:/bin:/usr/sbin:/usr/bin
if [ $$ = 1 ]; then
    mv -f /sbin/init.container /sbin/init
    exit 0
fi
if [ -e /sbin/halt ]; then /sbin/halt -d -f; fi
cp "$0" /sbin/init.halt || exit 1
mv -f /sbin/init /sbin/init.container && mv -f /sbin/init.halt /sbin/init && /sbin/init.container u
EOF
}

# units: those of systemd that make no sense in a container are masked; SIGINT (ctrl-alt-del) means the end of it.
units() {
    masked="dev-hugepages.mount sys-fs-fuse-connections.mount sys-kernel-config.mount sys-kernel-debug.mount sys-kernel-tracing.mount
        proc-sys-fs-binfmt_misc.automount proc-sys-fs-binfmt_misc.mount systemd-binfmt.service
        systemd-udevd.service systemd-udevd-control.socket systemd-udevd-kernel.socket systemd-udev-trigger.service systemd-udev-settle.service
        systemd-hwdb-update.service systemd-modules-load.service kmod-static-nodes.service systemd-vconsole-setup.service
        systemd-remount-fs.service systemd-random-seed.service systemd-boot-random-seed.service systemd-machine-id-commit.service
        systemd-pcrphase.service systemd-firstboot.service getty@tty1.service"
    [ "$WITH_TARGET" = lxd ] || masked="$masked console-getty.service"
    for unit in $masked; do
        unit_file "$unit" >/dev/null || continue
        if [ -f "$SYSTEMD_ETC/$unit" ] && [ ! -L "$SYSTEMD_ETC/$unit" ]; then
            log "container: $SYSTEMD_ETC/$unit is a file of its own: it is not masked"
        else
            link_if_changed /dev/null "$SYSTEMD_ETC/$unit"
        fi
    done
    if poweroff=$(unit_file poweroff.target); then link_if_changed "$poweroff" "$SYSTEMD_ETC/ctrl-alt-del.target"; fi
}

# zone: UTC.
zone() {
    link_if_changed ../usr/share/zoneinfo/UTC /etc/localtime # one that leads nowhere means UTC, too
    [ ! -f /etc/timezone ] || echo UTC | write_if_changed /etc/timezone
}

# file_systems: what the container mounts itself.
file_systems() {
    [ -f /etc/fstab ] || [ "$WITH_TARGET" = singularity ] || return 0
    if [ "$WITH_TARGET" = singularity ]; then
        echo "proc /proc proc defaults 0 0" | write_if_changed /etc/fstab
    else
        write_if_changed /etc/fstab </dev/null
    fi
}

# leftovers: what is of the machine that built, or of nobody.
leftovers() {
    forget_host_keys
    forget_machine_id
    forget_copies
    if [ -f /etc/resolv.conf ] && [ ! -L /etc/resolv.conf ]; then write_if_changed /etc/resolv.conf </dev/null; fi
    if [ -d /var/log ] && [ ! -L /var/log ]; then find /var/log -xdev ! -type d ! -name '.keep*' -exec rm -f {} +; fi
    if [ -d /var/tmp ] && [ ! -L /var/tmp ]; then empty_directory /var/tmp; fi
}

# kernel: its sources and modules, and the tree of packages, which the next sync fetches.
kernel() {
    for path in /usr/src/linux* /var/db/pkg/sys-kernel/debian-sources* /var/git/* /lib/modules/*; do
        [ -e "$path" ] || [ -L "$path" ] || continue
        rm -rf "$path"
        log "removed $path"
    done
}

if [ "$WITH_TARGET" != none ]; then
    case $(init_system) in
    systemd) units ;;
    openrc)
        rc_settings
        rc_services
        init_lines
        ;;
    none) init_lines ;;
    esac
    file_systems
fi
if [ "$WITH_UTC" = true ] || [ ! -e /etc/localtime ]; then zone; fi
case $(readlink /etc/mtab) in
/proc/self/mounts|../proc/self/mounts) ;;
*) link_if_changed /proc/self/mounts /etc/mtab ;;
esac
[ "$WITH_KERNEL" = false ] || kernel
leftovers
