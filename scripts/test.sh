#!/bin/sh
# go vet and the tests. Called by `make test`; GO and TAGS come from the Makefile.
#
#   XTOO_TEST_LONG=1   the slow cases, too
#   XTOO_TEST_RACE=1   under the race detector, which needs a C compiler
#   XTOO_TEST_FLAGS    more flags for go test
#
# Continuous integration sets the first two.
set -e
: "${GO:=go}" "${TAGS:=containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper}"

race="" cgo=0 packages=./...
# Tests wait for processes half of the time: two packages a processor.
jobs=$(($(nproc 2>/dev/null || echo 1) * 2))
case ${XTOO_TEST_RACE:-} in
'' | 0) ;;
*)
	race=-race cgo=1 jobs=$(nproc 2>/dev/null || echo 1)
	# Where all is done by one goroutine, or by other programs, the detector has nothing to find.
	packages=$($GO list -tags "$TAGS" ./... | grep -vE '/internal/(demostage|depcheck|exportcheck|gendocs)$|/deflate$')
	;;
esac

# A program under the race detector waits a second before it exits. Tests start thousands.
export GORACE="atexit_sleep_ms=0 ${GORACE:-}"

# The flags are those of `make`, so that nothing is compiled twice; vet is not asked twice either.
CGO_ENABLED=0 $GO vet -trimpath -buildvcs=false -tags "$TAGS" ./...
# shellcheck disable=SC2086 # flags and packages are words
CGO_ENABLED=$cgo $GO test $race -vet=off -trimpath -buildvcs=false -timeout 15m -p "$jobs" -tags "$TAGS" $XTOO_TEST_FLAGS $packages

left=""
[ -n "$race" ] || left="the race detector (XTOO_TEST_RACE=1)"
if [ -z "${XTOO_TEST_LONG:-}" ]; then
	places=$(grep -rhE --include='*_test.go' --include='*.txtar' 'testutil\.(Long|IsLong)\(|^\[!long\]' ./*/ | wc -l)
	left="$left${left:+ and }the slow cases of $places tests (XTOO_TEST_LONG=1)"
fi
[ -z "$left" ] || echo "test: left to continuous integration: $left"
