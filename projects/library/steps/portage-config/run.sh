has emerge || [ -d /etc/portage ] || die "portage-config: there is no Portage in this root"

package_files
check_lines package.env 2 999 "$WITH_ENV"
portage_lines package.env "$WITH_ENV"

# NAME=text becomes NAME="text". "${NAME}" in it stands for what NAME was, as Portage reads it.
printf '%s\n' "$WITH_MAKE_CONF" | while read -r line; do
    case ${line%%=*} in
    [0-9]*|*[!A-Za-z0-9_]*) die "portage-config: make_conf: \"${line%%=*}\" is no name of a variable" ;;
    esac
done || exit 1
make_conf "$(printf '%s\n' "$WITH_MAKE_CONF" | sed -e '/^$/d' -e 's/[\\"]/\\&/g' -e 's/=/="/' -e 's/$/"/')"
