set -f      # atoms hold wildcards
[ -n "$WITH_ATOMS" ] || die "packages: atoms is empty: name the packages to install"

with_emerge() {
    atoms=$WITH_ATOMS
    for atom in $atoms; do
        case $atom in
        */*|@?*) ;;
        *) die "packages: $atom: a package's name has its category before it (category/name), a set's an @" ;;
        esac
    done
    package_files
    set -- --ask=n --color=n --nospinner --quiet-build=y
    # An option that says what --noreplace says, but gives way to these, is implied by them.
    if [ "$WITH_UPDATE" = true ]; then set -- "$@" --update; fi
    if [ "$WITH_NEWUSE" = true ]; then set -- "$@" --newuse; fi
    if [ "$WITH_UPDATE$WITH_NEWUSE" = falsefalse ]; then set -- "$@" --noreplace; fi
    if [ "$WITH_DEEP" = true ]; then set -- "$@" --deep; fi
    if [ "$WITH_ONLYDEPS" = true ]; then set -- "$@" --onlydeps; fi
    if [ "$WITH_ONESHOT" = true ]; then set -- "$@" --oneshot; fi
    if [ "$WITH_BDEPS" != auto ]; then set -- "$@" "--with-bdeps=$WITH_BDEPS"; fi
    if [ "$WITH_JOBS" -gt 0 ]; then set -- "$@" "--jobs=$WITH_JOBS"; fi
    features=$WITH_FEATURES
    [ -z "$WITH_BINHOST" ] || export PORTAGE_BINHOST="$(printf '%s' "$WITH_BINHOST" | tr '\n' ' ')"
    case $WITH_BINARY in
    never)
        features="$features -getbinpkg"
        set -- "$@" --usepkg=n --getbinpkg=n ;;
    *)
        set -- "$@" --binpkg-respect-use=y
        if [ "$WITH_BINARY" = only ]; then set -- "$@" --usepkgonly=y; else set -- "$@" --usepkg=y; fi
        if [ -n "$WITH_BINHOST" ] || knows_binhost; then set -- "$@" --getbinpkg=y; fi ;;
    esac
    if [ "$WITH_VERIFY" = false ]; then
        features="$features -binpkg-request-signature binpkg-ignore-signature"
        export PORTAGE_TRUST_HELPER=true
    fi
    emerge_environment "$features"
    before_packages
    case " $* " in
    *' --getbinpkg=y '*) [ "$WITH_VERIFY" = false ] || trust ;;
    esac
    log "emerge $* $(printf '%s' "$WITH_OPTIONS $atoms" | tr '\n' ' ')"
    emerge "$@" $WITH_OPTIONS $atoms ||
        die "packages: emerge failed (above it says why); of binary packages: $WITH_BINARY, FEATURES: $FEATURES"
}

# knows_binhost: whether the root names a binary package host itself. Without one, emerge complains of --getbinpkg.
knows_binhost() {
    grep -rqs '^[[:space:]]*sync-uri' /etc/portage/binrepos.conf && return 0
    grep -rqs '^[[:space:]]*PORTAGE_BINHOST=' /etc/portage/make.conf /etc/make.conf
}

# trust: keys for the signatures of binary packages. Portage runs it itself since 3.0.51, and again is harmless; without network the keys
# that came with the root have to do.
trust() {
    has getuto || return 0
    getuto || log "note: getuto failed: binary packages are verified with the keys that the root has"
}

with_apt() {
    no_such "packages: use" "$WITH_USE"
    no_such "packages: keywords" "$WITH_KEYWORDS"
    no_such "packages: mask" "$WITH_MASK"
    no_such "packages: unmask" "$WITH_UNMASK"
    no_such "packages: licenses" "$WITH_LICENSES"
    no_such "packages: binhost" "$WITH_BINHOST"
    no_such "packages: features" "$WITH_FEATURES"
    no_such "packages: onlydeps" "${WITH_ONLYDEPS#false}"
    if [ "$WITH_BINARY" = never ]; then no_such "packages: binary: never" never; fi
    for atom in $WITH_ATOMS; do
        case $atom in
        */*|@*) die "packages: $atom: this root has the packages of $(distro): name it as they do there, without a category" ;;
        esac
    done
    before_packages
    if [ "$1" = apk ]; then
        [ "$WITH_ONESHOT" = false ] || die "packages: oneshot: apk has nothing like it: leave it out"
        set -- add --no-cache
        if [ "$WITH_UPDATE" = true ]; then set -- "$@" --upgrade; fi
        apk "$@" $WITH_OPTIONS $WITH_ATOMS || die "packages: apk failed (above it says why)"
        return
    fi
    missing=
    for atom in $WITH_ATOMS; do
        if [ "$WITH_UPDATE" = true ] || ! installed "${atom%%=*}"; then missing="$missing $atom"; fi
    done
    [ -n "$missing" ] || return 0
    apt_lists
    apt_get install $WITH_OPTIONS -- $missing || die "packages: apt-get failed (above it says why)"
    if [ "$WITH_ONESHOT" = true ]; then apt-mark auto -- $missing >/dev/null; fi
}

case $(manager) in
emerge) with_emerge ;;
apt) with_apt apt ;;
apk) with_apt apk ;;
esac
normalise
