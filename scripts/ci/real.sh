#!/bin/bash
# Builds a tree from a root of real programs as each of the three users, in empty stores, with different numbers of
# jobs, and compares what came out byte by byte; then lets other tools judge it.
set -euo pipefail
. scripts/ci/lib.sh
work=$XTOO_CI/real
rm -rf "$work"
mkdir -p "$work/tree"
chmod 755 "$work"
stage3=$(bash scripts/ci/stage3.sh "$work")
say "stage3: $(basename "$stage3"), $(stat -c %s "$stage3") bytes"
bash scripts/ci/tree.sh "$work/tree" "$stage3"
chmod -R a+rX "$work"
CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -tags "$TAGS" -o "$XTOO_CI/xtoo" ./cmd/xtoo
chmod 755 "$XTOO_CI/xtoo"

rc=0
jobs=1
for user in "${ci_users[@]}"; do
  out=$work/$user
  install -d -m 755 -o "$user" -g "$user" "$out"
  # Projects below "owners" change owners: not for a user with one id.
  projects=(next next/host next/host/web)
  [ "$user" = xtoo-one ] || projects+=(next/owners)
  VARIABLES=("XTOO_STORE=$out/store")
  as "$user" "$XTOO_CI/xtoo" doctor || true # what is missing where is for the reader of this log
  start=$SECONDS
  (cd / && as "$user" "$XTOO_CI/xtoo" build "${projects[@]}" -C "$work/tree" --jobs $jobs --oci-layout "$out/oci" </dev/null)
  (cd / && as "$user" "$XTOO_CI/xtoo" build next/host -C "$work/tree" --jobs $jobs --sif "$out/host.sif" </dev/null)
  say "built by $user with --jobs $jobs in $((SECONDS - start)) s"
  chmod -R a+rX "$out/oci" "$out/host.sif"
  bash scripts/ci/digests.sh "$out" next next/host next/host/web > "$work/digests-$user"
  sha256sum < "$out/host.sif" >> "$work/digests-$user"
  [ "$user" = xtoo-one ] || bash scripts/ci/digests.sh "$out" next/owners > "$work/owners-$user"
  jobs=$((jobs + 1))
done
for pair in digests-root:digests-xtoo-sub digests-root:digests-xtoo-one owners-root:owners-xtoo-sub; do
  diff "$work/${pair%:*}" "$work/${pair#*:}" || { echo "FAILED: ${pair%:*} and ${pair#*:} differ"; rc=1; }
done
[ $rc != 0 ] || say "the same bytes from all three: $(wc -l < "$work/digests-root") digests"

bash scripts/ci/judge.sh "$work" "$stage3" || rc=1

for user in "${ci_users[@]}"; do
  VARIABLES=("XTOO_STORE=$work/$user/store")
  (cd / && as "$user" "$XTOO_CI/xtoo" clean --all </dev/null)
  left=$(find "$work/$user" -path '*/store/*' | head -n 3)
  [ -z "$left" ] || { echo "FAILED: clean --all as $user left $left"; rc=1; }
done
[ $rc != 0 ] || rm -rf "$work"
exit $rc
