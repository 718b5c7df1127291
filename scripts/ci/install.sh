#!/bin/bash
# Installs from Debian's packages what the checks need. What is there already is left as it is.
set -euo pipefail
packages=(
  make gcc libc6-dev git ca-certificates          # make test, with the race detector
  uidmap                                          # newuidmap: the mapped tier of ordinary users
  squashfs-tools squashfuse fuse3                 # judges of SIF files
  skopeo umoci podman runc fuse-overlayfs         # judges of OCI images
  tar xz-utils zstd pigz bzip2 gzip               # judges of archives
  pixz tabix pbzip2 lbzip2 7zip                   # others that pack them, in ways of their own (tabix has bgzip)
  pax cpio squashfs-tools-ng                      # and that write them
  acl attr libcap2-bin                            # what archives carry
  gpg python3 libarchive-tools busybox-static jq strace man-db shellcheck util-linux procps file
  mmdebstrap arch-test                            # a root of real programs
  qemu-user-static                                # one of another architecture; without binfmt-support: it must not need it
)
missing=()
for p in "${packages[@]}"; do
  dpkg-query -W -f '${Status}\n' "$p" 2>/dev/null | grep -q '^install ok installed$' || missing+=("$p")
done
if [ ${#missing[@]} = 0 ]; then
  echo "everything is there"
  exit 0
fi
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
echo "installed: ${missing[*]}"
