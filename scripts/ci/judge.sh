#!/bin/bash
# judge.sh DIR STAGE3: what other tools make of the images in DIR/USER/oci, of DIR/USER/host.sif, and of the stage4 DIR/root/host.tar.xz. Runs as root.
# shellcheck disable=SC2317,SC2329 # the functions are called by judge, where errexit does not hold: chain with &&
set -euo pipefail
. scripts/ci/lib.sh
dir=$1 stage3=$2
oci=$dir/root/oci sif=$dir/root/host.sif
rc=0
tmp=$(mktemp -d "$dir/judge.XXXXXX")
chmod 755 "$tmp"
trap 'umount "$tmp/sif" 2>/dev/null; rm -rf "$tmp"' EXIT

base_is_the_stage3() { # without excludes the base layer's diff id is the sha256 of the tar stream: pixz leaves its own index out, xz does not
  local want
  case $stage3 in *.xz) want=$(pixz -d < "$stage3" | sha256sum) ;; *.zst) want=$(zstd -dc "$stage3" | sha256sum) ;; *) want=$(sha256sum < "$stage3") ;; esac
  test "sha256:${want%% *}" = "$(skopeo inspect --config "oci:$oci:next" | jq -r '.rootfs.diff_ids[0]')"
}
docker_archive() { skopeo copy "oci:$oci:next/host" "docker-archive:$tmp/host.tar:xtoo/host:latest" && tar -tf "$tmp/host.tar" | grep manifest.json > /dev/null; }
unpack_root() { umoci unpack --image "$oci:next/host" "$tmp/bundle"; }
unpack_user() { # the user's own copy, so that umoci may write beside it
  install -d -m 755 -o xtoo-one -g xtoo-one "$tmp/user" &&
    as xtoo-one umoci unpack --rootless --image "$dir/xtoo-one/oci:next/host" "$tmp/user/bundle" &&
    test "$(cat "$tmp/user/bundle/rootfs/srv/opaque/new")" = new
}
# The squashfs file begins at a multiple of 4096 with its magic.
offset() { LC_ALL=C grep -obUaF hsqs "$1" | awk -F: '$1 % 4096 == 0 { print $1; exit }'; }
mount_sif() { mkdir "$tmp/sif" && mount -t squashfs -o "ro,loop,offset=$(offset "$sif")" "$sif" "$tmp/sif"; }
unsquash() { unsquashfs -o "$(offset "$sif")" -d "$tmp/unsquashed" "$sif"; }
fuse() {
  local read=1
  mkdir -p "$tmp/fuse" && squashfuse -o "offset=$(offset "$sif")" "$sif" "$tmp/fuse" || return 1
  [ "$(cat "$tmp/fuse/srv/opaque/new")" != new ] || read=0
  fusermount3 -u "$tmp/fuse" && return "$read"
}

# listing DIR: every member with type, mode, owner, size and target, and the sums of contents, less what a SIF adds.
listed=(-mindepth 1 '(' -path ./.singularity.d -o -path ./etc/resolv.conf -o -path ./etc/hosts ')' -prune -o
  ! -path ./singularity ! -path ./.run ! -path ./.exec ! -path ./.shell ! -path ./.test ! -path ./environment)
listing() {
  (cd "$1" && find . "${listed[@]}" \( -type f -printf '%p f %m %U:%G %n %s\n' -o -type l -printf '%p l %U:%G %l\n' -o -printf '%p %y %m %U:%G\n' \) &&
    find . "${listed[@]}" -type f -print0 | xargs -0r sha256sum) | LC_ALL=C sort
}
same_content() { # diff: only directories that a SIF adds may be new
  listing "$tmp/bundle/rootfs" > "$tmp/a" && listing "$tmp/sif" > "$tmp/b" && [ "$(wc -l < "$tmp/a")" -gt 100 ] || return 1
  ! LC_ALL=C comm -3 "$tmp/a" "$tmp/b" | grep -vE '^	\./(dev|proc|root|var|var/tmp|tmp|etc|sys|home) d '
}
same_devices() { (cd "$tmp/bundle/rootfs" && find dev -printf '%p %y %m %U:%G\n' | sort) > "$tmp/a" && (cd "$tmp/sif" && find dev -printf '%p %y %m %U:%G\n' | sort) > "$tmp/b" && diff "$tmp/a" "$tmp/b"; }
# something: the stage3s made for tests have such members; one of bare packages need not.
something() { [ -s "$1" ] || [[ $stage3 == */stage3-debian.* ]]; }
attributes() { # a SIF without any attribute says that it supports none
  (cd "$1" && getfattr -Rhd -m '^user\.xtoo\.' . 2> "$tmp/complaints") || ! grep -v 'Operation not supported$' "$tmp/complaints" >&2
}
same_attributes() { attributes "$tmp/bundle/rootfs" > "$tmp/a" && attributes "$tmp/sif" > "$tmp/b" && something "$tmp/a" && diff "$tmp/a" "$tmp/b"; }
same_capabilities() { # paths and values; getcap prints them sorted by where it finds them
  (cd "$tmp/bundle/rootfs" && getcap -r . | sort) > "$tmp/a" && (cd "$tmp/sif" && getcap -r . | sort) > "$tmp/b" && something "$tmp/a" && diff "$tmp/a" "$tmp/b"
}
stage4=$dir/root/host.tar.xz
stage4_sums() { (cd "$dir/root" && sha256sum -c host.tar.xz.sha256); }
stage4_digests() { # of the tarball and of its listing, by two functions each
  (cd "$dir/root" && grep -A1 '^# BLAKE2B' host.tar.xz.DIGESTS | grep -v '^[#-]' | b2sum -c && grep -A1 '^# SHA512' host.tar.xz.DIGESTS | grep -v '^[#-]' | sha512sum -c) > "$tmp/sums" &&
    [ "$(grep -c ': OK$' "$tmp/sums")" = 4 ]
}
stage4_unpacks() { mkdir "$tmp/stage4" && tar --numeric-owner --xattrs --xattrs-include='*' --acls -xpf "$stage4" -C "$tmp/stage4"; }
stage4_listing() { TZ=UTC LC_ALL=C.UTF-8 tar --xattrs -tvf "$stage4" > "$tmp/a" && gzip -dc "$stage4.CONTENTS.gz" | diff "$tmp/a" -; }
stage4_same() { # as the image that umoci has unpacked: members, owners, content; devices; attributes and capabilities
  listing "$tmp/bundle/rootfs" > "$tmp/a" && listing "$tmp/stage4" > "$tmp/b" && [ "$(wc -l < "$tmp/a")" -gt 100 ] && diff "$tmp/a" "$tmp/b" &&
    attributes "$tmp/bundle/rootfs" > "$tmp/a" && attributes "$tmp/stage4" > "$tmp/b" && diff "$tmp/a" "$tmp/b" &&
    (cd "$tmp/bundle/rootfs" && getcap -r . | sort) > "$tmp/a" && (cd "$tmp/stage4" && getcap -r . | sort) > "$tmp/b" && diff "$tmp/a" "$tmp/b"
}
podman_as() { # podman_as USER: an ordinary user runs the image
  local home=$tmp/podman-$1 options=""
  install -d -m 755 -o "$1" -g "$1" "$home" "$home/config" "$home/config/containers"
  [ "$1" != xtoo-one ] || options='ignore_chown_errors = "true"' # podman's own way with one id
  printf '[storage]\ndriver = "overlay"\n[storage.options]\n%s\n' "$options" > "$home/config/containers/storage.conf"
  printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' > "$home/config/containers/containers.conf"
  VARIABLES=("XDG_CONFIG_HOME=$home/config" "XDG_DATA_HOME=$home/data")
  local out status=0
  out=$(cd / && as "$1" timeout 120 podman run --rm --network none --runtime runc "oci:$dir/$1/oci:next/host/web") || status=$?
  (cd / && as "$1" podman unshare rm -rf "$home/data") || true
  VARIABLES=()
  [ "$status" = 0 ] && [ "$out" = hello ]
}

judge "skopeo inspects the image" skopeo inspect "oci:$oci:next/host"
judge "the base layer is the stage3's tar stream" base_is_the_stage3
judge "skopeo copies it to a docker archive" docker_archive
judge "umoci unpacks it as root" unpack_root
judge "umoci unpacks it as a user with one id" unpack_user
judge "the kernel mounts the SIF" mount_sif
judge "unsquashfs reads the SIF" unsquash
[ ! -c /dev/fuse ] || judge "squashfuse mounts the SIF" fuse
judge "the SIF has what the image has" same_content
judge "the SIF has the image's device nodes" same_devices
judge "the SIF has the image's capabilities" same_capabilities
judge "the SIF has the image's attributes" same_attributes
judge "xz finds the stage4 whole" xz -t "$stage4"
judge "sha256sum finds the stage4 as the file beside it says" stage4_sums
judge "b2sum and sha512sum find the stage4 and its listing as DIGESTS says" stage4_digests
judge "GNU tar unpacks the stage4" stage4_unpacks
judge "the stage4's listing is what GNU tar prints" stage4_listing
judge "the stage4 has what the image has" stage4_same
judge "podman runs it as a user with subuid ranges" podman_as xtoo-sub
judge "podman runs it as a user with one id" podman_as xtoo-one
exit $rc
