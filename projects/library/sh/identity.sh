# What one machine has and no other may have: an image goes without it. Needs root.sh.

# forget_machine_id: systemd fills an empty file in; D-Bus, without systemd, makes only one that is missing.
forget_machine_id() {
    if [ "$(init_system)" = systemd ]; then
        write_if_changed /etc/machine-id </dev/null
    else
        remove_if_there /etc/machine-id
    fi
}

# forget_copies: what else tells machines apart, or seeds their random numbers. A link to /etc/machine-id follows it; a copy would be an identity of its own.
forget_copies() {
    if [ -f /var/lib/dbus/machine-id ] && [ ! -L /var/lib/dbus/machine-id ]; then remove_if_there /var/lib/dbus/machine-id; fi
    for identity_seed in systemd/random-seed misc/random-seed seedrng/seed.credit seedrng/seed.no-credit; do
        remove_if_there "/var/lib/$identity_seed"
    done
}

# forget_host_keys: those of the SSH server, which makes its own at its first start.
forget_host_keys() {
    for identity_key in /etc/ssh/ssh_host_*_key /etc/ssh/ssh_host_*_key.pub; do remove_if_there "$identity_key"; done
}
