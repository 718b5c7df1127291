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
    set --
    # Each of these leaves what is installed alone, too, unless it has a reason; --noreplace would not let them have one.
    if [ "$WITH_UPDATE" = true ]; then set -- "$@" --update; fi
    if [ "$WITH_NEWUSE" = true ]; then set -- "$@" --newuse; fi
    if [ "$WITH_UPDATE$WITH_NEWUSE" = falsefalse ]; then set -- "$@" --noreplace; fi
    if [ "$WITH_DEEP" = true ]; then set -- "$@" --deep; fi
    if [ "$WITH_ONLYDEPS" = true ]; then set -- "$@" --onlydeps; fi
    if [ "$WITH_ONESHOT" = true ]; then set -- "$@" --oneshot; fi
    if [ "$WITH_BDEPS" != auto ]; then set -- "$@" "--with-bdeps=$WITH_BDEPS"; fi
    merge packages "$@" $WITH_OPTIONS $atoms
}

without_portage() {
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
    [ "$pm,$WITH_ONESHOT" != apk,true ] || die "packages: oneshot: apk has nothing like it: leave it out"
    # Names may have a version behind them: name=1.2.
    missing=
    for atom in $WITH_ATOMS; do
        if [ "$WITH_UPDATE" = true ] || ! installed "${atom%%[=<>~]*}"; then missing="$missing $atom"; fi
    done
    [ -n "$missing" ] || return 0
    before_packages
    if [ "$pm" = apk ]; then
        if [ "$WITH_UPDATE" = true ]; then set -- --upgrade; else set --; fi
        apk add --no-cache "$@" $WITH_OPTIONS $missing || die "packages: apk failed (above it says why)"
    else
        apt_lists
        apt_get install $WITH_OPTIONS -- $missing || die "packages: apt-get failed (above it says why)"
        if [ "$WITH_ONESHOT" = true ]; then apt-mark auto -- $missing >/dev/null; fi
    fi
    normalise
}

pm=$(manager)
case $pm in
emerge)
    with_emerge
    normalise ;;
*) without_portage ;;
esac
