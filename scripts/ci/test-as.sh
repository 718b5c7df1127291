#!/bin/bash
# test-as.sh USER: every test as that user, where a test may only be skipped for a reason that holds for the user.
# The tests are compiled as root and executed by `go test -exec`.
# XTOO_CI_PACKAGES: only these packages. By default all as root; as others those whose work may depend on who does it.
set -euo pipefail
. scripts/ci/lib.sh
user=$1
export XTOO_CI_USER=$user
log=$XTOO_CI/test-$user.json
self=$PWD

# Skipping is forbidden. "root" forbids what only root can do, too.
no_skip=1
[ "$user" != root ] || no_skip=root

give_stage3

[ "$user" = root ] || lend_cache "$user"

packages=${XTOO_CI_PACKAGES:-./...}
[ "$user" = root ] || [ -n "${XTOO_CI_PACKAGES:-}" ] || packages=$(cd "$src" && find . -name '*_test.go' -not -path './vendor/*' -printf '%h\n' | sort -u | grep -vxE "$no_user")

rc=0
(
  cd "$src"
  # shellcheck disable=SC2086 # packages are words
  XTOO_TEST_NO_SKIP=$no_skip CGO_ENABLED=0 GOFLAGS=-mod=vendor "$GO" test -count=1 -vet=off -trimpath -buildvcs=false -json -timeout 15m -tags "$TAGS" \
    -exec "bash $self/scripts/ci/exec-as.sh $self" $packages
) > "$log" || rc=$?
# What go test would have printed: the line of each package, and the output of what failed.
jq -r -j 'select(.Action == "build-output" or (.Action == "output" and .Test == null and (.Output | test("^(ok|FAIL|---|panic|\\?)")))) | .Output' "$log"
jq -s -r -j '(map(select(.Action == "fail" and .Test != null) | .Package + "/" + .Test) | unique) as $failed
  | .[] | select(.Action == "output" and .Test != null and (.Package + "/" + .Test | IN($failed[]))) | .Output' "$log"

# Skipped tests, each with what it said; those that this user cannot run are taken out.
jq -s -r '(map(select(.Action == "output" and .Test != null)) | group_by(.Package + "/" + .Test)
    | map({key: (.[0].Package + "/" + .[0].Test), value: (map(.Output) | join("") | gsub("\n *"; " "))}) | from_entries) as $said
  | .[] | select(.Action == "skip" and .Test != null) | (.Package + "/" + .Test) | . + ": " + ($said[.] // "")' "$log" \
  | sed 's/=== [A-Z]* *[^ ]* //g; s/--- SKIP[^)]*)//g' > "$XTOO_CI/skipped-$user"
case $user in
  root) allowed='needs an unprivileged user|needs no newuidmap|XTOO_TEST_MEASURE' ;;
  xtoo-sub) allowed='needs root|needs to be root|needs a user without subuid|XTOO_TEST_LONG|XTOO_TEST_MEASURE' ;;
  *) allowed='needs root|needs to be root|needs no newuidmap|needs a range of ids|has no range of ids|not both tiers ran|mapped tier|XTOO_TEST_LONG|XTOO_TEST_MEASURE' ;;
esac
say "$(jq -s 'map(select(.Action == "pass" and .Test != null)) | length' "$log") tests passed as $user, $(wc -l < "$XTOO_CI/skipped-$user") skipped"
cat "$XTOO_CI/skipped-$user"
if grep -Ev "$allowed" "$XTOO_CI/skipped-$user" > "$XTOO_CI/forbidden-$user"; then
  echo "these could have run as $user, and were skipped:"
  cat "$XTOO_CI/forbidden-$user"
  rc=1
fi
exit $rc
