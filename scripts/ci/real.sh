#!/bin/bash
# Builds a tree from a root of real programs as each of the three users, in empty stores, with different numbers of
# jobs, and compares what came out byte by byte; then lets other tools judge it.
set -euo pipefail
. scripts/ci/builds.sh
begin "$XTOO_CI/real"
stage3=$(bash scripts/ci/stage3.sh "$work")
say "stage3: $(basename "$stage3"), $(stat -c %s "$stage3") bytes"
bash scripts/ci/tree.sh "$work/tree" next "$stage3"
chmod -R a+rX "$work/tree"

rc=0
build_as_all next
same_from_all || rc=1
bash scripts/ci/judge.sh "$work" "$stage3" || rc=1
clean_all || rc=1
[ $rc != 0 ] || rm -rf "$work"
exit $rc
