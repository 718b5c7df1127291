#!/bin/bash
# exec-as.sh PROJECT BINARY ARGUMENT…: for `go test -exec`: a test binary as $XTOO_CI_USER, who can
# neither read go's work directory nor inherits root's environment.
set -euo pipefail
cd_to=$PWD
cd "$1"
. scripts/ci/lib.sh
cd "$cd_to"
binary=$2
shift 2
copy=$(mktemp -d "$XTOO_CI/bin.XXXXXX")
trap 'rm -rf "$copy"' EXIT
chmod 755 "$copy"
cp "$binary" "$copy/" && chmod 755 "$copy/$(basename "$binary")"
# Slow cases run once, as root; as each user where what they do may depend on it.
if [ "$XTOO_CI_USER" = root ] || [[ "./${cd_to#"$src/"}" =~ ^$depend_on_user$ ]]; then XTOO_TEST_LONG=1; fi
VARIABLES=("XTOO_TEST_NO_SKIP=${XTOO_TEST_NO_SKIP:-}" "XTOO_TEST_LONG=${XTOO_TEST_LONG:-}" "XTOO_TEST_STAGE3=${XTOO_TEST_STAGE3:-}")
as "$XTOO_CI_USER" "$copy/$(basename "$binary")" "$@"
