#!/bin/bash
# stage3.sh DIR [ARCH[/SUBARCH] [LAYOUT]]: prints the path of a stage3 of real programs that every user can read, made where it
# is not there; by default for this machine. LAYOUT gentoo: named and packed as Gentoo does, where make-stage3 can.
#
# $XTOO_CI_STAGE3 names one ($XTOO_CI_STAGE3_ARM one for arm-64bit); else a program make-stage3 ($XTOO_MAKE_STAGE3, or
# beside the checkout) makes one; else, for this machine, mmdebstrap does; else it is the demo's.
set -euo pipefail
. scripts/ci/lib.sh
dir=$1 arch=${2:-} layout=${3:-}

publish() { # publish FILE: where users can read it
  cp "$1" "$dir/$(basename "$1")"
  chmod 644 "$dir/$(basename "$1")"
  echo "$dir/$(basename "$1")"
  exit 0
}

case $arch in
  '') given=${XTOO_CI_STAGE3:-} ;;
  arm-64bit*) given=${XTOO_CI_STAGE3_ARM:-} ;;
  *) given= ;;
esac
[ -z "$given" ] || publish "$given"
for make_stage3 in "${XTOO_MAKE_STAGE3:-}" ../*/stage3/make-stage3; do
  [ -x "$make_stage3" ] || continue
  if stage3=$("$make_stage3" ${arch:+--arch "${arch%%/*}"} ${layout:+--layout "$layout"} --size mini </dev/null | tail -n 1) && [ -f "$stage3" ]; then
    publish "$stage3"
  fi
done
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
if [ -n "$arch" ]; then
  say "no make-stage3 that works is at hand; the demo's stage3 for $arch, which is not one of real programs" >&2
  demo=$tmp/stage3-demo-${arch//\//-}.tar.xz
  "$GO" run -buildvcs=false ./internal/demostage -arch "$arch" -o "$demo"
  publish "$demo"
fi
say "no make-stage3 that works is at hand; a root of mmdebstrap's" >&2
if mmdebstrap --quiet --mode=root --variant=apt --include=python3-minimal "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$tmp/root.tar" </dev/null >&2; then
  xz -T0 -1 --block-size=16MiB < "$tmp/root.tar" > "$tmp/stage3-debian.tar.xz"
  publish "$tmp/stage3-debian.tar.xz"
fi
say "no packages either; the demo's stage3" >&2
"$GO" run -buildvcs=false ./internal/demostage -o "$tmp/stage3-demo.tar.xz"
publish "$tmp/stage3-demo.tar.xz"
