#!/bin/sh
# go vet and the tests. Called by `make test`; GO and TAGS come from the Makefile.
#
#   XTOO_TEST_FLAGS   more flags for go test
#   XTOO_TEST_RACE    0: without the race detector, 1: with it; default: with it where it can be had
set -e
: "${GO:=go}" "${TAGS:=containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper}"

# The race detector needs cgo, and so a C compiler with its headers.
can_race() {
	printf '#include <stdlib.h>\nint main(void) { return 0; }\n' |
		"$($GO env CC)" -x c - -o /dev/null >/dev/null 2>&1
}

race="" cgo=0
case ${XTOO_TEST_RACE:-auto} in
0) echo "test: without the race detector (XTOO_TEST_RACE=0)" ;;
1) race=-race cgo=1 ;;
*) if can_race; then race=-race cgo=1; else echo "test: no working C compiler: without the race detector"; fi ;;
esac

# A program under the race detector waits a second before it exits. Tests start thousands.
export GORACE="atexit_sleep_ms=0 ${GORACE:-}"

CGO_ENABLED=0 $GO vet -tags "$TAGS" ./...
# shellcheck disable=SC2086 # flags are words
CGO_ENABLED=$cgo $GO test $race -buildvcs=false -timeout 15m -tags "$TAGS" $XTOO_TEST_FLAGS ./...
