#!/bin/bash
# The slow cases that `make test` leaves out, of all packages that have some. Those that depend on the user run as each
# of them (exec-as.sh).
set -euo pipefail
. scripts/ci/lib.sh
mapfile -t packages < <(grep -rlE --include='*_test.go' 'testutil\.(Long|IsLong)\(' ./*/ | xargs -n 1 dirname | sort -u |
  grep -vxE "$depend_on_user" | grep -v '^\./internal/testutil$')
give_stage3
say "slow cases of ${packages[*]}"
XTOO_TEST_LONG=1 XTOO_TEST_NO_SKIP=1 CGO_ENABLED=0 "$GO" test -count=1 -vet=off -trimpath -buildvcs=false -timeout 15m -tags "$TAGS" "${packages[@]}"
