#!/bin/bash
# make dist in two directories: the same bytes, and a program that runs.
set -euo pipefail
. scripts/ci/lib.sh
one=$XTOO_CI/dist-1 two=$XTOO_CI/dist-2
rm -rf "$one" "$two"
export VERSION=0.0.0-ci SOURCE_DATE_EPOCH=1655337600
for dir in "$one" "$two"; do
  # As root and with root's modules: a vendored build notes no sums of its modules, and so has other bytes.
  cp -r "$src" "$dir"
  rm -rf "$dir/vendor"
  (cd "$dir" && make dist)
done
diff -r "$one/dist" "$two/dist"
say "built twice, the same bytes"
tar -xzf "$one/dist/xtoo-$VERSION-linux-$("$GO" env GOARCH).tar.gz" -C "$one"
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
rm -rf "$one" "$two"
