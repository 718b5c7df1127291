set -f
pm=$(manager)
case $pm in
emerge)
    set -- --ask=n --color=n --nospinner --depclean
    if [ "$WITH_BDEPS" = true ]; then set -- "$@" --with-bdeps=y; else set -- "$@" --with-bdeps=n; fi
    for atom in $WITH_EXCLUDE; do set -- "$@" "--exclude=$atom"; done
    emerge_environment ''
    before_packages
    emerge "$@" || die "depclean: emerge failed (above it says why; it removes nothing while something needed is missing: packages with update, deep and newuse for @world mends that)" ;;
apt)
    before_packages
    if [ -z "$WITH_EXCLUDE" ]; then
        apt_get autoremove --purge || die "depclean: apt-get failed (above it says why)"
    else
        apt_get --simulate autoremove >"$SCRATCH.plan" || die "depclean: apt-get failed (above it says why)"
        gone=$(awk -v keep=" $(printf '%s' "$WITH_EXCLUDE" | tr '\n' ' ') " '$1 == "Remv" && !index(keep, " " $2 " ") { print $2 }' "$SCRATCH.plan")
        rm -f "$SCRATCH.plan"
        # What an excluded package needs goes only if apt-get would not take the package along.
        if [ -n "$gone" ]; then
            apt_get --simulate purge -- $gone >"$SCRATCH.plan" || die "depclean: apt-get failed (above it says why)"
            for atom in $WITH_EXCLUDE; do
                if grep -q "^\(Purg\|Remv\) $atom " "$SCRATCH.plan"; then die "depclean: $atom needs packages that would go: exclude them, too"; fi
            done
            rm -f "$SCRATCH.plan"
            apt_get purge -- $gone || die "depclean: apt-get failed (above it says why)"
        fi
    fi ;;
apk)
    log "apk has removed what nothing needs already"
    exit 0 ;;
esac
normalise
