#!/bin/bash
# judge-arm.sh DIR TAG…: what other tools make of root's images in DIR/root/oci, which were built under emulation.
# shellcheck disable=SC2317,SC2329 # the functions are called by judge, where errexit does not hold: chain with &&
set -euo pipefail
. scripts/ci/lib.sh
dir=$1
shift
tags=("$@")
oci=$dir/root/oci
rc=0

# layers TAG: the files of its layers, the base first.
layers() { bash scripts/ci/digests.sh "$dir/root" "$1" | awk -v blobs="$oci/blobs" '$2 == "layer" { sub(":", "/", $3); print blobs "/" $3 }'; }
all_layers() { for tag in "${tags[@]}"; do layers "$tag"; done | sort -u; }
layers_above() { for tag in "${tags[@]}"; do layers "$tag" | tail -n +2; done | sort -u; }

# content TAG PATTERN: what the topmost file of that name holds.
content() {
  local layer
  layers "$1" | tac | while read -r layer; do ! tar -xOf "$layer" --wildcards "$2" 2>/dev/null || break; done
}

machine() { [ "$(content next-arm/host etc/machine)" = aarch64 ]; }
platform() {
  local tag got
  for tag in "${tags[@]}"; do
    got=$(skopeo inspect --raw --config "oci:$oci:$tag" | jq -r '[.os, .architecture, .variant] | join("/")') && echo "$tag: $got" || return 1
    [ "$got" = linux/arm64/v8 ] || return 1
    [ "$(skopeo inspect "oci:$oci:$tag" | jq -r .Architecture)" = arm64 ] || return 1
  done
}
sif_architecture() { [ "$(dd if="$dir/root/host.sif" bs=1 skip=45 count=2 status=none)" = 04 ]; } # behind launch script, magic and version
no_name() {
  local layer rc=0
  while read -r layer; do
    ! tar -tf "$layer" | grep -i qemu || rc=1
  done < <(all_layers)
  return "$rc"
}
no_path() {
  local layer count n=0
  while read -r layer; do
    n=$((n + 1))
    count=$(gzip -dc "$layer" | grep -acF qemu-aarch64) || true
    [ "$count" = 0 ] || { echo "$layer: $count times"; return 1; }
  done < <(layers_above)
  echo "$n layers"
  [ "$n" -ge 5 ] # as many as the nodes of tree.sh that change something
}
package() { content next-arm/packages etc/nano-version | grep -F 'GNU nano' && content next-arm/packages 'var/db/pkg/app-editors/nano-*/CATEGORY' | grep -x app-editors; }

judge "uname -m of a node was aarch64" machine
judge "skopeo inspects images for linux/arm64/v8" platform
judge "the SIF is for aarch64" sif_architecture
judge "no file is named after the emulator" no_name
judge "no file that a node wrote knows the emulator" no_path
[[ " ${tags[*]} " != *" next-arm/packages "* ]] || judge "the package is there and runs" package
exit $rc
