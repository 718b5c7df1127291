#!/bin/bash
# digests.sh DIR TAG…: the digests of manifest, config and layers of each tag in DIR/oci.
set -euo pipefail
dir=$1
shift
blob() { echo "$dir/oci/blobs/${1/://}"; }
for tag in "$@"; do
  manifest=$(jq -er --arg t "$tag" '.manifests[] | select(.annotations["org.opencontainers.image.ref.name"] == $t) | .digest' "$dir/oci/index.json")
  echo "$tag manifest $manifest"
  jq -r --arg t "$tag" '($t + " config " + .config.digest), (.layers[] | $t + " layer " + .digest)' "$(blob "$manifest")"
done
