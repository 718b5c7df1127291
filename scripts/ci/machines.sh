#!/bin/bash
# Builds in a virtual machine that is unlike this one: control groups of version 2, mounts that are shared as systemd has them,
# Debian's kernel, a store in memory. Needs the users of users.sh; see machine.sh for the rest.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/ci/lib.sh

mkdir -p "$XTOO_CI/machines"
chmod 755 "$XTOO_CI" "$XTOO_CI/machines"
CGO_ENABLED=0 "$GO" build -tags "$TAGS" -trimpath -o "$XTOO_CI/machines/xtoo" ./cmd/xtoo
exec scripts/ci/machine.sh scripts/ci/machines-inside.sh "$XTOO_CI/machines/xtoo"
