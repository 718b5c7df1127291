#!/bin/bash
# Both kinds of x86 machine: one whose kernel executes 32-bit programs, and one that must have them emulated.
set -euo pipefail
. scripts/ci/lib.sh
[ "$("$GO" env GOARCH)" = amd64 ] || { say "this machine is none of the two kinds"; exit 0; }
CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -o "$XTOO_CI/no386" ./internal/testutil/no386
log=$XTOO_CI/kinds.log

# kind COMMAND…: the tests that tell the kinds apart, by that command; prints how 32-bit programs are executed.
kind() {
  XTOO_TEST_NO_SKIP=1 CGO_ENABLED=0 "$GO" test -count=1 -v -vet=off -trimpath -buildvcs=false -tags "$TAGS" -exec "$*" \
    -run '^TestCompat$|^TestScripts$/^emulate$' ./chroot ./cmd/xtoo > "$log" 2>&1 || { cat "$log" >&2; return 1; }
  sed -n 's/.*32-bit programs are executed as //p' "$log"
}

here=$(kind env)
case $here in
  compat) say "played: a machine that executes 32-bit programs (this one)" ;;
  own) say "NOT played: a machine that executes 32-bit programs; this one does not" ;;
  *) echo "32-bit programs are executed as '$here'"; exit 1 ;;
esac
there=$(kind "$XTOO_CI/no386")
[ "$there" = own ] || { echo "without 32-bit programs they are executed as '$there'"; exit 1; }
say "played: a machine that executes no 32-bit programs, by emulation"
