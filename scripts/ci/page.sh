#!/bin/bash
# docs/first-stage4.md, word for word: what its sh blocks say is executed by a user with one id, whose Downloads hold a stage3
# that is named and packed as Gentoo's are; then what it promises is looked for.
set -euo pipefail
. scripts/ci/builds.sh
begin "$XTOO_CI/page"
user=xtoo-one home=$work/xtoo-one
stage3=$(bash scripts/ci/stage3.sh "$work" "" gentoo)
if ! tar -tf "$stage3" 2>/dev/null | grep -E '(^|/)usr/bin/emerge$' > /dev/null; then
  say "NOT tested: docs/first-stage4.md; there is no stage3 with Portage at hand"
  rm -rf "$work"
  exit 0
fi
install -d -o $user -g $user "$home/Downloads" "$home/bin"
ln -s "$stage3" "$home/Downloads/"
ln -s "$XTOO_CI/xtoo" "$home/bin/xtoo"
{ echo 'set -eux'; awk '/^```sh$/ { on = 1; next } /^```/ { on = 0 } on' docs/first-stage4.md; } > "$work/page"
chmod 644 "$work/page"
[ "$(grep -c xtoo "$work/page")" -ge 4 ] || { echo "FAILED: the page has lost its commands" >&2; exit 1; }
VARIABLES=("HOME=$home" "PATH=$home/bin:$PATH")
start=$SECONDS
(cd / && as $user bash "$work/page" </dev/null)
say "docs/first-stage4.md took $((SECONDS - start)) s"
[ $((SECONDS - start)) -lt 600 ] || { echo "FAILED: these were more than ten minutes" >&2; exit 1; }
tar -xOf "$home/images/mine.tar.xz" ./etc/shadow | grep -E "^root:[$]6[$]" > /dev/null || { echo "FAILED: root has no password" >&2; exit 1; }
tar -xOf "$home/images/mine.tar.xz" ./etc/group | grep -E "^wheel:.*larry" > /dev/null || { echo "FAILED: larry is not in wheel" >&2; exit 1; }
rm -rf "$work"
