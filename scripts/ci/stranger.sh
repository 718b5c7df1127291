#!/bin/bash
# What the README promises: `make demo` and `make test` as an ordinary user with one id, on a machine with Go, make
# and the basic utilities: no newuidmap, no C compiler, no git, no squashfs tools, no container tools.
set -euo pipefail
. scripts/ci/lib.sh
bin=$XTOO_CI/poor-bin
rm -rf "$bin"
mkdir "$bin"
for tool in sh cat cp mv rm mkdir rmdir ls ln chmod touch test true false printf echo env id uname date dirname basename \
  head tail grep sed awk sort wc find xargs tr cut tee mktemp install diff cmp sha256sum readlink sleep make; do
  ln -s "$(type -P "$tool")" "$bin/$tool"
done
ln -s "$(command -v "$GO")" "$bin/go"
ln -s "$(dirname "$(readlink -f "$(command -v "$GO")")")/gofmt" "$bin/gofmt"

cd "$src"
lend_cache xtoo-one
AS_PATH=$bin
as xtoo-one make demo
ls -l out/sif/*.sif out/oci/index.json
say "make demo, again"
as xtoo-one make demo > "$XTOO_CI/demo-again.log" 2>&1 || { cat "$XTOO_CI/demo-again.log"; exit 1; }
as xtoo-one make test
as xtoo-one make clean
