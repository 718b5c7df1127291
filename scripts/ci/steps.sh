#!/bin/bash
# The tests of all steps (projects/library/steps/*/test.yaml), by each of the three users, in the roots that they are for: a
# stage3 of real programs, Debian, busybox alone.
set -euo pipefail
. scripts/ci/builds.sh
begin "$XTOO_CI/steps"
CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -tags "$TAGS" -o "$work/steptest" ./internal/steptest
chmod 755 "$work/steptest"

roots=()
stage3=$(bash scripts/ci/stage3.sh "$work")
if tar -tf "$stage3" | grep -E '(^|/)usr/bin/emerge$' >/dev/null; then
  roots+=(-mini "$stage3")
else
  say "NOT tested: steps in a stage3; there is none with Portage at hand"
fi
if mmdebstrap --quiet --mode=root --variant=apt --include=sudo,passwd "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$work/debian.tar" </dev/null; then
  roots+=(-debian "$work/debian.tar")
else
  say "NOT tested: steps in Debian; there are no packages of its to be had"
fi

# busybox and its names are a root: what Alpine has at the least.
mkdir -p "$work/busybox"/{bin,dev,etc,lib,proc,root,run,sbin,sys,tmp,usr/bin,usr/sbin,var}
cp /bin/busybox "$work/busybox/bin/busybox"
for name in $(/bin/busybox --list); do
  [ "$name" = busybox ] || ln -s busybox "$work/busybox/bin/$name"
done
echo 'root:x:0:0:root:/root:/bin/sh' > "$work/busybox/etc/passwd"
echo 'root:x:0:' > "$work/busybox/etc/group"
tar --owner=0 --group=0 --sort=name -cf "$work/busybox.tar" -C "$work/busybox" .
roots+=(-busybox "$work/busybox.tar")
chmod 644 "$work"/*.tar

rc=0
for user in "${ci_users[@]}"; do
  start=$SECONDS
  VARIABLES=("XTOO_STORE=$work/$user/store")
  (cd / && as "$user" "$work/steptest" -xtoo "$XTOO_CI/xtoo" -work "$work/$user/tests" "${roots[@]}" </dev/null) > "$work/log-$user" 2>&1 || {
    grep -v '^--- PASS' "$work/log-$user"
    echo "FAILED: tests of steps by $user"
    rc=1
    continue
  }
  say "$(grep ' tests executed' "$work/log-$user"), by $user in $((SECONDS - start)) s"
  jq -r '.manifests[] | .annotations["org.opencontainers.image.ref.name"] + " " + .digest' "$work/$user/store/oci/index.json" | sort > "$work/digests-$user"
done
for user in "${ci_users[@]:1}"; do
  if [ ! -e "$work/digests-root" ] || [ ! -e "$work/digests-$user" ]; then continue; fi # its tests have failed, and that was said
  diff "$work/digests-root" "$work/digests-$user" || { echo "FAILED: what root's and $user's steps made differs"; rc=1; }
done
clean_all || rc=1
[ $rc != 0 ] || rm -rf "$work"
exit $rc
