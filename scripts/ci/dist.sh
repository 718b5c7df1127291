#!/bin/bash
# make dist, twice in different directories: the same bytes, and a program that runs.
set -euo pipefail
. scripts/ci/lib.sh
one=$XTOO_CI/dist-1 two=$XTOO_CI/dist-2
rm -rf "$one" "$two"
export VERSION=0.0.0-ci SOURCE_DATE_EPOCH=1655337600
make dist
cp -r dist "$one"
cp -r "$src" "$two" # another path, another owner
(cd "$two" && rm -rf dist && GOFLAGS=-mod=vendor make dist >/dev/null)
diff -r "$one" "$two/dist"
say "built twice, the same bytes"
tar -xzf "dist/xtoo-$VERSION-linux-$("$GO" env GOARCH).tar.gz" -C "$one"
program=$(echo "$one"/xtoo-*/bin/xtoo)
"$program" version | grep -F "$VERSION"
if ldd "$program" 2>/dev/null; then
  echo "$program is not static"
  exit 1
fi
if man --warnings -l "$(dirname "$program")/../share/man/man1/xtoo.1" 2>&1 >/dev/null | grep .; then
  echo "the man page has mistakes"
  exit 1
fi
rm -rf dist
