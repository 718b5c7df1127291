has emerge || [ -d /etc/portage ] || die "portage-config: there is no Portage in this root"

package_files
check_lines package.env 2 999 "$WITH_ENV"
portage_lines package.env "$WITH_ENV"

# NAME=text becomes NAME="text". Portage reads it as a shell would: what is left of it to say is "${NAME}".
lines=$(printf '%s\n' "$WITH_MAKE_CONF" | awk '
    $0 == "" { next }
    {
        i = index($0, "="); name = substr($0, 1, i - 1); text = substr($0, i + 1)
        if (name !~ /^[A-Za-z_][A-Za-z0-9_]*$/) { printf "error: portage-config: make_conf: \"%s\" is no name of a variable\n", name > "/dev/stderr"; exit 1 }
        gsub(/\\/, "\\\\", text); gsub(/"/, "\\\"", text); gsub(/`/, "\\`", text)
        printf "%s=\"%s\"\n", name, text
    }') || exit 1
make_conf "$lines"
