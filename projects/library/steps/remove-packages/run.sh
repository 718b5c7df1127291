set -f
pm=$(manager)
present=
for atom in $WITH_ATOMS; do
    if installed "$atom"; then present="$present $atom"; else log "$atom is not installed"; fi
done
[ -n "$present" ] || exit 0

case $pm in
emerge)
    emerge_environment ''
    before_packages
    if [ "$WITH_FORCE" = true ]; then
        emerge --ask=n --color=n --nospinner --unmerge $present || die "remove-packages: emerge --unmerge failed (above it says why)"
    else
        # Removes what nothing needs, and says of the rest who does.
        emerge --ask=n --color=n --nospinner --verbose --depclean $present || die "remove-packages: emerge --depclean failed (above it says why)"
    fi ;;
apt)
    before_packages
    if [ "$WITH_FORCE" = true ]; then
        dpkg --purge --force-depends --force-remove-essential -- $present || die "remove-packages: dpkg failed (above it says why)"
    else
        # What else would go is needed by someone: apt-get would take those along.
        apt_get --simulate purge -- $present >"$SCRATCH.plan" || die "remove-packages: apt-get failed (above it says why)"
        others=$(awk -v asked="$present " '$1 == "Purg" || $1 == "Remv" { n = $2; sub(/:.*/, "", n); if (!index(asked, " " n " ")) printf " %s", n }' "$SCRATCH.plan")
        rm -f "$SCRATCH.plan"
        [ -z "$others" ] || die "remove-packages: still needed by$others: remove these, too, or say force: true"
        apt_get purge -- $present || die "remove-packages: apt-get failed (above it says why)"
    fi ;;
apk)
    before_packages
    apk del $present || die "remove-packages: apk failed (above it says why)" ;;
esac
left=
for atom in $present; do
    if installed "$atom"; then left="$left $atom"; fi
done
[ -z "$left" ] || [ "$WITH_FORCE" = false ] || die "remove-packages: not removed (above it says why):$left; $pm cannot be forced"
[ -z "$left" ] || die "remove-packages: still needed by others (above it says which):$left: remove these, too, or say force: true"
normalise
