#!/bin/bash
# Builds from a Debian root, as each of the three users, what a build with one id is worst at: programs that become other users,
# that give files away and copy them with their owners, and packages whose scripts do so. All digests have to be equal.
set -euo pipefail
. scripts/ci/builds.sh
begin "$XTOO_CI/debian"

# With the packages that nodes install, as a repository within: nodes have no network.
# shellcheck disable=SC2016 # mmdebstrap expands these
if ! mmdebstrap --quiet --mode=root --variant=apt --include=sudo,rsync,libcap2-bin,passwd,acl,attr,mount \
  --customize-hook='APT_CONFIG=$MMDEBSTRAP_APT_CONFIG apt-get install -qq --yes --download-only --no-install-recommends iputils-ping at cron dbus' \
  --customize-hook='mkdir "$1/srv/debs" && mv "$1"/var/cache/apt/archives/*.deb "$1/srv/debs"' \
  "$(. /etc/os-release && echo "$VERSION_CODENAME")" "$work/root.tar" </dev/null; then
  say "NOT built: there are no packages of Debian's to be had"
  exit 0
fi
chmod 644 "$work/root.tar"
bash scripts/ci/debian-tree.sh "$work/tree" "$work/root.tar"
chmod -R a+rX "$work/tree"

rc=0
for user in "${ci_users[@]}"; do
  start=$SECONDS
  xtoo_as "$user" build --require-exact -C "$work/tree" --oci-layout "$work/$user/oci" > "$work/log-$user" 2>&1 || {
    cat "$work/log-$user"
    echo "FAILED: the build by $user"
    rc=1
    continue
  }
  say "built by $user in $((SECONDS - start)) s"
  chmod -R a+rX "$work/$user/oci"
  bash scripts/ci/digests.sh "$work/$user" debian > "$work/digests-$user"
done
for user in "${ci_users[@]:1}"; do
  diff "$work/digests-root" "$work/digests-$user" || { echo "FAILED: root's and $user's digests differ"; rc=1; }
done
[ $rc != 0 ] || say "the same bytes from all: $(wc -l < "$work/digests-root") digests"

# That they are equal says little if nobody was anybody else.
owners() { tar -tv --numeric-owner -f "$work/root/oci/blobs/$1" | awk '{ print $2 }' | sort -u | wc -l; }
layers=$(awk '$2 == "layer" { sub(":", "/", $3); print $3 }' "$work/digests-root" | tail -n +2)
for layer in $layers; do
  n=$(owners "$layer")
  say "owners in a layer: $n"
  [ "$n" -gt 1 ] || { echo "FAILED: everything in $layer belongs to one"; rc=1; }
done
clean_all || rc=1
[ $rc != 0 ] || rm -rf "$work"
exit $rc
