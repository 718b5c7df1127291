# What the steps around packages share: which package manager the root has, Portage's files below /etc/portage, and how emerge is called.

# What Portage must do without in a namespace: its sandboxes make namespaces of their own or preload libraries. The same everywhere, whoever
# builds and under emulation, so that nothing of the machine enters the image.
NAMESPACE_FEATURES='-ipc-sandbox -network-sandbox -pid-sandbox -sandbox -usersandbox'

# manager: prints emerge, apt or apk.
manager() {
    if has emerge; then echo emerge
    elif has apt-get; then echo apt
    elif has apk; then echo apk
    else die "there is neither emerge nor apt-get nor apk in this root: it has no packages"
    fi
}

# mounted PATH: whether something is mounted there or above it, the root aside.
mounted() {
    [ -r /proc/self/mountinfo ] || return 1
    awk -v path="$1/" '$5 != "/" && index(path, $5 "/") == 1 { found = 1 } END { exit !found }' /proc/self/mountinfo
}

# no_such WHAT VALUE: WHAT exists in Portage only, and must not have been given.
no_such() {
    [ -z "$2" ] || die "$1: only Portage has that, and this root has none: leave it out"
}

# check_lines KIND LEAST MOST LINES: each line begins with an atom, and has so many words.
check_lines() {
    bad_line=$(printf '%s\n' "$4" | awk -v least="$2" -v most="$3" 'NF && ($1 !~ /\// || NF < least || NF > most) { print; exit }')
    [ -z "$bad_line" ] || die "\"$bad_line\" is no line of $1: an atom (category/name) first, and what holds for it, if anything, in the same item of the list"
}

# Xtoo's lines in a file that others write, too, stand between these two.
BLOCK_BEGIN='# xtoo: begin'
BLOCK_END='# xtoo: end'

# merge_lines KIND FILE OWN: into FILE go the lines of standard input; a line with the same key as one that is there replaces it. KIND is `assignment`
# (the key ends with =) or `line` (it is the first word). OWN is true for a file of xtoo's own, false for one with a block.
merge_lines() {
    cat >"$SCRATCH.new"
    if [ -e "$2" ]; then cat "$2" >"$SCRATCH.old"; else : >"$SCRATCH.old"; fi
    awk -v keys="$1" -v own="$3" -v begin="$BLOCK_BEGIN" -v end="$BLOCK_END" -v fresh="$SCRATCH.new" '
        function key(line) { sub(/^[ \t]+/, "", line); return match(line, keys == "assignment" ? "=" : "[ \t]") ? substr(line, 1, RSTART - 1) : line }
        function put(line) { k = key(line); if (!(k in at)) { at[k] = ++n }; lines[at[k]] = line }
        BEGIN { inside = own == "true" }
        own != "true" && $0 == begin { inside = 1; next }
        own != "true" && $0 == end { inside = 0; next }
        inside { if ($0 != "" && $0 !~ /^#/) put($0); next }
        { print; last = $0 }
        END {
            while ((getline line < fresh) > 0) if (line != "") put(line)
            if (own == "true") print "# Written by xtoo."
            else { if (last != "") print ""; print begin }
            for (i = 1; i <= n; i++) print lines[i]
            if (own != "true") print end
        }' "$SCRATCH.old" >"$SCRATCH.merged"
    write_if_changed "$2" <"$SCRATCH.merged"
    rm -f "$SCRATCH.new" "$SCRATCH.old" "$SCRATCH.merged"
}

# portage_lines NAME LINES: LINES go to /etc/portage/NAME, which may be a directory or a file; a directory is made where there is none.
portage_lines() {
    [ -n "$2" ] || return 0
    portage_file=/etc/portage/$1
    if [ -f "$portage_file" ]; then
        printf '%s\n' "$2" | merge_lines line "$portage_file" false
    else
        printf '%s\n' "$2" | merge_lines line "$portage_file/xtoo" true
    fi
}

# package_files: what the parameters use, keywords, mask, unmask and licenses say goes to /etc/portage.
package_files() {
    check_lines package.use 2 999 "${WITH_USE:-}"
    check_lines package.accept_keywords 1 999 "${WITH_KEYWORDS:-}"
    check_lines package.mask 1 1 "${WITH_MASK:-}"
    check_lines package.unmask 1 1 "${WITH_UNMASK:-}"
    check_lines package.license 2 999 "${WITH_LICENSES:-}"
    portage_lines package.use "${WITH_USE:-}"
    # An older name of the same file, where the root has that one.
    if [ -e /etc/portage/package.keywords ] && [ ! -e /etc/portage/package.accept_keywords ]; then
        portage_lines package.keywords "${WITH_KEYWORDS:-}"
    else
        portage_lines package.accept_keywords "${WITH_KEYWORDS:-}"
    fi
    portage_lines package.mask "${WITH_MASK:-}"
    portage_lines package.unmask "${WITH_UNMASK:-}"
    portage_lines package.license "${WITH_LICENSES:-}"
}

# make_conf LINES: NAME="text" lines go to make.conf, a file or a directory.
make_conf() {
    [ -n "$1" ] || return 0
    if [ -d /etc/portage/make.conf ]; then
        # Read in the order of their names: this one is to be the last.
        printf '%s\n' "$1" | merge_lines assignment /etc/portage/make.conf/zz-xtoo.conf true
    elif [ ! -e /etc/portage/make.conf ] && [ -f /etc/make.conf ]; then
        printf '%s\n' "$1" | merge_lines assignment /etc/make.conf false
    else
        printf '%s\n' "$1" | merge_lines assignment /etc/portage/make.conf false
    fi
}

# repo_location NAME: prints where repos.conf (the root's, then Portage's own) says that the repository is; fails where it says nothing.
repo_location() {
    for repo_file in /etc/portage/repos.conf /etc/portage/repos.conf/*.conf /usr/share/portage/config/repos.conf; do
        [ -f "$repo_file" ] || continue
        repo_found=$(awk -v name="[$1]" -v key="${2:-location}" '
            { line = $0; gsub(/^[ \t]+|[ \t]+$/, "", line) }
            line ~ /^\[/ { inside = line == name; next }
            inside && match(line, /^[a-z-]+[ \t]*=/) { k = substr(line, 1, RLENGTH - 1); sub(/[ \t]+$/, "", k)
                if (k == key) { v = substr(line, RLENGTH + 1); sub(/^[ \t]+/, "", v); found = v } }
            END { if (found != "") print found }' "$repo_file")
        if [ -n "$repo_found" ]; then printf '%s\n' "$repo_found"; return 0; fi
    done
    return 1
}

# emerge_environment FEATURES: what every emerge of a step sees. Of the environment's own FEATURES (the project's `env`, and under emulation the
# preset) what the preset says already is left out.
emerge_environment() {
    emerge_features=$NAMESPACE_FEATURES
    for feature in ${FEATURES:-} $1; do
        case " $NAMESPACE_FEATURES " in
        *" $feature "*) ;;
        *) emerge_features="$emerge_features $feature" ;;
        esac
    done
    export FEATURES="$emerge_features" PYTHONDONTWRITEBYTECODE=1
    # Colours and the title of a terminal have no place in a log.
    export NOCOLOR=true
}

# merge STEP ARGUMENT…: calls emerge to install what the arguments say, as the parameters binary, binhost, verify, features and jobs have it. What
# changes with each call is noted before; the step calls `normalise` at its end.
merge() {
    merge_step=$1; shift
    merge_features=${WITH_FEATURES:-}
    merge_fetches=false
    if [ "${WITH_JOBS:-0}" -gt 0 ]; then set -- "--jobs=$WITH_JOBS" "$@"; fi
    if [ -n "${WITH_BINHOST:-}" ]; then
        PORTAGE_BINHOST=$(printf '%s' "$WITH_BINHOST" | tr '\n' ' ')
        export PORTAGE_BINHOST
    fi
    case ${WITH_BINARY:-prefer} in
    never)
        merge_features="$merge_features -getbinpkg"
        set -- --usepkg=n --getbinpkg=n "$@" ;;
    *)
        if [ -n "${WITH_BINHOST:-}" ] || knows_binhost; then
            merge_fetches=true
            set -- --getbinpkg=y "$@"
        fi
        if [ "${WITH_BINARY:-prefer}" = only ]; then set -- --usepkgonly=y "$@"; else set -- --usepkg=y "$@"; fi
        set -- --binpkg-respect-use=y "$@" ;;
    esac
    if [ "${WITH_VERIFY:-true}" = false ]; then
        merge_features="$merge_features -binpkg-request-signature binpkg-ignore-signature"
        export PORTAGE_TRUST_HELPER=true
    fi
    emerge_environment "$merge_features"
    before_packages
    # Keys for the signatures. Newer versions of Portage see to it themselves, and twice does no harm; without network what the root has must do.
    if [ "$merge_fetches" = true ] && [ "${WITH_VERIFY:-true}" = true ] && has getuto; then
        getuto || log "note: getuto failed: binary packages are verified with the keys that the root has"
    fi
    set -- --ask=n --color=n --nospinner --quiet-build=y "$@"
    log "emerge $*"
    emerge "$@" || die "$merge_step: emerge failed (above it says why); binary packages: ${WITH_BINARY:-prefer}, FEATURES: $FEATURES"
}

# knows_binhost: whether the root names a binary package host itself. Without one, emerge complains of --getbinpkg.
knows_binhost() {
    grep -rqs '^[[:space:]]*sync-uri' /etc/portage/binrepos.conf && return 0
    grep -rqs '^[[:space:]]*PORTAGE_BINHOST=' /etc/portage/make.conf /etc/make.conf
}

# installed NAME: whether the package is installed. Comparing versions, slots and USE flags is left to Portage; names alone, `=` and `~` are looked
# up in its database, so that images without Portage can be asked, too.
installed() {
    [ -n "${pm:-}" ] || pm=$(manager)
    case $pm in
    emerge) portage_installed "$1" ;;
    apt) [ "$(dpkg-query -W -f '${db:Status-Status}' -- "$1" 2>/dev/null)" = installed ] ;;
    apk) apk info -e -- "$1" >/dev/null 2>&1 ;;
    esac
}

portage_installed() {
    atom_name=$1
    case $atom_name in
    */*) ;;
    *) die "$1: a package's name has its category before it (category/name)" ;;
    esac
    case $atom_name in
    '<'*|'>'*|*'['*|*:*|'='*'*')
        has portageq || die "$1: to compare versions, slots and USE flags takes portageq, and this root has none: name the package alone"
        portageq has_version / "$1"
        return ;;
    esac
    ( set +f; portage_has "$atom_name" )
}

# portage_has NAME, =NAME-VERSION or ~NAME-VERSION: whether the database has it.
portage_has() {
    case $1 in
    '='*) set -- "/var/db/pkg/${1#=}" ;;
    '~'*) set -- "/var/db/pkg/${1#\~}" "/var/db/pkg/${1#\~}"-r[0-9]* ;;
    *)
        # name-1.2 must not find name-2d-1.2: what follows the name is a version, so holds no further hyphen but that of a revision.
        for atom_dir in "/var/db/pkg/$1"-[0-9]*; do
            case ${atom_dir#"/var/db/pkg/$1"-} in
            *-r[0-9]|*-r[0-9][0-9]|*-r[0-9][0-9][0-9]) [ ! -d "$atom_dir" ] || return 0 ;;
            *-*) ;;
            *) [ ! -d "$atom_dir" ] || return 0 ;;
            esac
        done
        return 1 ;;
    esac
    for atom_dir; do
        [ ! -d "$atom_dir" ] || return 0
    done
    return 1
}

# apt_get ARGUMENT…: asks nothing, and changes no file of configuration that is there.
apt_get() {
    DEBIAN_FRONTEND=noninteractive DEBCONF_NONINTERACTIVE_SEEN=true apt-get -y -q \
        -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold -o APT::Install-Recommends=false "$@"
}

# apt_lists: fetches the lists of packages where the root has none (`normalise` removes them again).
apt_lists() {
    [ -n "$(find /var/lib/apt/lists -name '*_Packages*' -o -name '*_InRelease')" ] || apt_get update || die "apt-get update failed (above it says why)"
}
