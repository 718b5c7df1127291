# Units of systemd: the links that `systemctl --root=/ enable`, `disable` and `mask` make, made without it. Needs root.sh.

SYSTEMD_ETC=/etc/systemd/system
SYSTEMD_PRESET=/etc/systemd/system-preset/20-xtoo.preset

# unit_name NAME: prints NAME with the suffix .service where it has none of a unit; of an alias, the unit's own name.
unit_name() {
    case $1 in
    *.service|*.socket|*.timer|*.target|*.path|*.mount|*.automount|*.swap|*.slice) unit_named=$1 ;;
    *) unit_named=$1.service ;;
    esac
    if unit_at=$(unit_file "$unit_named") && [ -L "$unit_at" ] && ! unit_template "$unit_named" >/dev/null; then
        unit_named=$(readlink "$unit_at")
    fi
    echo "${unit_named##*/}"
}

# unit_template UNIT: prints `getty@.service` for `getty@tty1.service`; fails for a unit that is no instance.
unit_template() {
    case $1 in
    *@.*) return 1 ;;
    *@*.*) echo "${1%%@*}@.${1##*.}" ;;
    *) return 1 ;;
    esac
}

# unit_file UNIT: prints the path of its file (of its template for an instance); fails where there is none.
unit_file() {
    for unit_dir in $SYSTEMD_ETC /usr/local/lib/systemd/system /usr/lib/systemd/system /lib/systemd/system; do
        for unit_try in "$1" "$(unit_template "$1" || true)"; do
            [ -n "$unit_try" ] && [ -f "$unit_dir/$unit_try" ] || continue
            echo "$unit_dir/$unit_try"
            return 0
        done
    done
    return 1
}

# unit_install UNIT KEY: prints what its section [Install] says of KEY, a word a line.
unit_install() {
    unit_path=$(unit_file "$1") || return 0
    set -- "$1" "$2" "$unit_path"
    for unit_dropin in "$SYSTEMD_ETC/$1.d/"*.conf "${unit_path%/*}/$1.d/"*.conf; do
        if [ -f "$unit_dropin" ]; then set -- "$@" "$unit_dropin"; fi
    done
    unit_key=$2
    shift 2
    awk -v key="$unit_key" '
        /^\[/ { inside = ($0 ~ /^\[Install\]/); next }
        inside && index($0, key "=") == 1 {
            n = split(substr($0, length(key) + 2), word, /[ \t]+/)
            for (i = 1; i <= n; i++) if (word[i] != "") print word[i]
        }' "$@"
}

# unit_instance TEXT UNIT: prints TEXT with %i, %I, %p, %n and %N filled in.
unit_instance() {
    unit_prefix=${2%.*}
    unit_inst=
    case $unit_prefix in
    *@*) unit_inst=${unit_prefix#*@} unit_prefix=${unit_prefix%%@*} ;;
    esac
    printf '%s\n' "$1" | sed "s|%[iI]|$unit_inst|g;s|%p|$unit_prefix|g;s|%n|$2|g;s|%N|${2%.*}|g"
}

# unit_preset VERB UNIT: what `systemctl preset` is to make of the unit later.
unit_preset() {
    if [ -f "$SYSTEMD_PRESET" ]; then
        grep -vxF -e "enable $2" -e "disable $2" "$SYSTEMD_PRESET" >"$SCRATCH.preset" || true
    else
        : >"$SCRATCH.preset"
    fi
    echo "$1 $2" >>"$SCRATCH.preset"
    LC_ALL=C sort -k 2 -o "$SCRATCH.preset" "$SCRATCH.preset"
    write_if_changed "$SYSTEMD_PRESET" <"$SCRATCH.preset"
    rm -f "$SCRATCH.preset"
}

# systemd_enable UNIT [TARGET]: as its [Install] says, or wanted by TARGET. One that is masked is so no longer.
systemd_enable() {
    if [ -L "$SYSTEMD_ETC/$1" ] && [ "$(readlink "$SYSTEMD_ETC/$1")" = /dev/null ]; then rm -f "$SYSTEMD_ETC/$1"; fi
    enable_file=$(unit_file "$1") || die "services: no such unit: $1"
    if [ -n "${2:-}" ]; then
        link_if_changed "$enable_file" "$SYSTEMD_ETC/$2.wants/$1"
        unit_preset enable "$1"
        return 0
    fi
    systemd_install "$1"
    for enable_also in $(unit_install "$1" Also); do
        enable_also=$(unit_instance "$enable_also" "$1")
        if [ "$enable_also" != "$1" ] && unit_file "$enable_also" >/dev/null; then systemd_install "$enable_also"; fi
    done
    unit_preset enable "$1"
}

# systemd_install UNIT: makes the links of its section [Install].
systemd_install() {
    install_unit=$1
    case $1 in
    *@.*)
        install_default=$(unit_install "$1" DefaultInstance | head -n 1)
        [ -n "$install_default" ] || die "services: $1 is a template: name an instance, ${1%%@*}@NAME.${1##*.}"
        install_unit=${1%%@*}@$install_default.${1##*.}
        ;;
    esac
    install_file=$(unit_file "$1") install_any=false
    for install_how in WantedBy:wants RequiredBy:requires UpheldBy:upholds; do
        for install_by in $(unit_install "$1" "${install_how%:*}"); do
            install_by=$(unit_instance "$install_by" "$install_unit")
            link_if_changed "$install_file" "$SYSTEMD_ETC/$install_by.${install_how#*:}/$install_unit"
            install_any=true
        done
    done
    for install_by in $(unit_install "$1" Alias); do
        install_by=$(unit_instance "$install_by" "$install_unit")
        [ "$install_by" = "$install_unit" ] || link_if_changed "$install_file" "$SYSTEMD_ETC/$install_by"
        install_any=true
    done
    if [ "$install_any" = false ] && [ -z "$(unit_install "$1" Also)" ]; then
        die "services: $1 says in no [Install] what wants it: name a target, $1@multi-user.target"
    fi
}

# unit_is_static UNIT: it has no [Install] that says what wants it; other units start it where they need it.
unit_is_static() {
    for static_key in WantedBy RequiredBy UpheldBy Alias Also; do
        [ -z "$(unit_install "$1" $static_key)" ] || return 1
    done
}

# systemd_links UNIT [TARGET]: prints the links that enable UNIT.
systemd_links() {
    for systemd_link in $SYSTEMD_ETC/${2:-*}.wants/"$1" $SYSTEMD_ETC/${2:-*}.requires/"$1" $SYSTEMD_ETC/${2:-*}.upholds/"$1"; do
        if [ -L "$systemd_link" ]; then echo "$systemd_link"; fi
    done
    [ -z "${2:-}" ] || return 0
    for systemd_link in $SYSTEMD_ETC/*; do
        [ -L "$systemd_link" ] && [ "${systemd_link##*/}" != "$1" ] || continue
        case $(readlink "$systemd_link") in
        */"$1"|"$1") echo "$systemd_link" ;;
        esac
    done
}

# systemd_disable UNIT [TARGET]
systemd_disable() {
    for disable_link in $(systemd_links "$1" "${2:-}"); do
        remove_if_there "$disable_link"
        case $disable_link in
        *.wants/*|*.requires/*|*.upholds/*) rmdir "${disable_link%/*}" 2>/dev/null || true ;;
        esac
    done
    if [ -z "${2:-}" ] && unit_file "$1" >/dev/null; then unit_preset disable "$1"; fi
}

# systemd_mask UNIT
systemd_mask() {
    systemd_disable "$1"
    if [ -f "$SYSTEMD_ETC/$1" ] && [ ! -L "$SYSTEMD_ETC/$1" ]; then die "services: $SYSTEMD_ETC/$1 is a file of its own: it cannot be masked; remove it"; fi
    link_if_changed /dev/null "$SYSTEMD_ETC/$1"
}

# systemd_starts UNIT [TARGET]: whether it is enabled in /etc, or wanted by what ships.
systemd_starts() {
    if [ -n "$(systemd_links "$1" "${2:-}")" ]; then return 0; fi
    for starts_link in /usr/lib/systemd/system/${2:-*}.wants/"$1" /lib/systemd/system/${2:-*}.wants/"$1"; do
        if [ -e "$starts_link" ]; then return 0; fi
    done
    return 1
}
