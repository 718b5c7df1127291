config=/etc/ssh/sshd_config

# settings: prints the lines of sshd_config.
settings() {
    echo "PermitRootLogin $WITH_ROOT_LOGIN"
    [ -z "$WITH_PASSWORD_LOGIN" ] || echo "PasswordAuthentication $WITH_PASSWORD_LOGIN"
    [ "$WITH_PORT" = 0 ] || echo "Port $WITH_PORT"
    while IFS='=' read -r name value; do
        case $name in
        '') ;;
        *[!A-Za-z0-9]*) die "ssh-server: no name of a setting: \"$name\"" ;;
        *) printf '%s %s\n' "$name" "$value" ;;
        esac
    done <<EOF
$WITH_SETTINGS
EOF
}

# set_in_config: the lines stand at the top of sshd_config, where the first of a name counts; others of these names go, unless they are in a block Match.
set_in_config() {
    awk -v top="$SCRATCH.sshd" '
        BEGIN { while ((getline line < top) > 0) { split(line, word, " "); ours[tolower(word[1])] = 1; print line } }
        tolower($1) == "match" { inside = 1 }
        inside || !(tolower($1) in ours)' "$config" >"$SCRATCH.config"
    write_if_changed "$config" <"$SCRATCH.config"
    rm -f "$SCRATCH.config"
}

# own_keys: the server makes its keys at its first start; some of Debian's units and scripts leave that to the installation.
own_keys() {
    if [ "$manager" = systemd ]; then
        file=$(unit_file "$service.service") || return 0
        if grep -qE 'ssh-keygen|sshdgenkeys|sshd-keygen' "$file"; then return 0; fi
        write_if_changed "/etc/systemd/system/$service.service.d/10-host-keys.conf" <<'EOF'
[Service]
ExecStartPre=
ExecStartPre=/usr/bin/ssh-keygen -A
ExecStartPre=/usr/sbin/sshd -t
RuntimeDirectory=sshd
EOF
    elif [ -f "/etc/init.d/$service" ] && ! grep -q ssh-keygen "/etc/init.d/$service"; then
        if grep -q /etc/default/ssh "/etc/init.d/$service"; then
            ensure_line /etc/default/ssh "/usr/bin/ssh-keygen -A >/dev/null"
        else
            die "ssh-server: /etc/init.d/$service makes no host keys: say host_keys: keep, or mend it"
        fi
    fi
}

[ -f "$config" ] || die "ssh-server: the root has no $config: install net-misc/openssh (Debian: openssh-server)"
manager=$(init_system)
service=sshd
if [ "$manager" = systemd ]; then
    if ! unit_file sshd.service >/dev/null && unit_file ssh.service >/dev/null; then service=ssh; fi
    service=$(unit_name "$service")
    service=${service%.service}
elif [ ! -e /etc/init.d/sshd ] && [ -e /etc/init.d/ssh ]; then
    service=ssh
fi

settings >"$SCRATCH.sshd"
set_in_config
rm -f "$SCRATCH.sshd"

if [ "$WITH_HOST_KEYS" = remove ]; then
    forget_host_keys
    own_keys
fi
if [ "$WITH_START" = true ]; then
    case $manager in
    openrc)
        openrc_has "$service" || die "ssh-server: there is no /etc/init.d/$service"
        openrc_add "$service" default
        ;;
    systemd) systemd_enable "$service.service" ;;
    none) log "ssh-server: the root has neither OpenRC nor systemd: nothing starts the server" ;;
    esac
fi
