missing=
set -f
for atom in $WITH_ARGS; do
    installed "$atom" || missing="$missing $atom"
done
[ -z "$missing" ] || die "package: not installed:$missing"
