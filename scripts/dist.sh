#!/bin/bash
# Builds dist/xtoo-VERSION-linux-ARCH.tar.gz for each architecture, and dist/SHA256SUMS. Called by `make dist`.
# The bytes depend on the source, the compiler and VERSION alone: built twice, they are the same.
# Needs GNU tar and gzip.
set -euo pipefail
: "${GO:=go}" "${TAGS:=containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper}" "${VERSION:=dev}"
: "${SOURCE_DATE_EPOCH:=$(git log -1 --format=%ct 2>/dev/null || echo 0)}"
export CGO_ENABLED=0 LC_ALL=C TZ=UTC
umask 022

tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
build() { # build GOARCH FILE
  # GOARM: the oldest Raspberry Pi.
  GOOS=linux GOARCH=$1 GOARM=6 "$GO" build -trimpath -buildvcs=false -tags "$TAGS" -ldflags "-s -w -buildid= -X main.version=$VERSION" -o "$2" ./cmd/xtoo
}

rm -rf dist
mkdir dist
build "$("$GO" env GOHOSTARCH)" "$tmp/native" # tells man pages and completions
for arch in amd64 arm arm64 riscv64; do
  name=xtoo-$VERSION-linux-$arch
  build "$arch" "$tmp/xtoo-$arch"
  MANBINARY=$tmp/native sh scripts/install.sh "$tmp/xtoo-$arch" "$tmp/$name"
  install -m 644 LICENSE README.md "$tmp/$name/"
  tar -cf - -C "$tmp" --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner "$name" |
    gzip -9n > "dist/$name.tar.gz"
done
(cd dist && sha256sum -- *.tar.gz > SHA256SUMS && cat SHA256SUMS)
