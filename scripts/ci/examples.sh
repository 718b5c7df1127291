#!/bin/bash
# examples/universal, built as root from stage3s of real programs: what is in the images, and a program that a compiler of xdev's has
# made is executed in a child of kantoo's, under emulation.
set -euo pipefail
. scripts/ci/builds.sh
begin "$XTOO_CI/examples"
export XTOO_STORE=$work/store
tree=$work/tree pi=arm-64bit/raspi4/target host=x86-64bit/generic_64/host
cp -a examples/universal/. "$tree"
x86=$(bash scripts/ci/stage3.sh "$work" "" gentoo) arm=$(bash scripts/ci/stage3.sh "$work" arm-64bit)
for stage3 in "$x86" "$arm"; do
  if ! tar -tf "$stage3" 2>/dev/null | grep -E '(^|/)usr/bin/emerge$' > /dev/null; then
    say "NOT tested: examples/universal; there is no stage3 with Portage at hand"
    rm -rf "$work"
    exit 0
  fi
done
ln -s "$x86" "$tree/stages/x86-64bit-generic_64.tar.xz"
ln -s "$arm" "$tree/stages/arm-64bit-raspi4.tar.xz"

# Where the stage3 is a stand-in that installs Debian's packages, dpkg must not ask about files that are there already.
for root in $pi $host; do
  cat >> "$tree/$root/.xtoo-config.yaml" <<'YAML'
scripts:
  - name: stand-in
    run: |
      [ -d /etc/dpkg ] || exit 0
      mkdir -p /etc/dpkg/dpkg.cfg.d /etc/apt/preferences.d
      printf 'Package: systemd-sysv\nPin: release *\nPin-Priority: -1\n' > /etc/apt/preferences.d/stand-in # the root keeps its OpenRC
      printf 'force-confold\nforce-unsafe-io\n' > /etc/dpkg/dpkg.cfg.d/stand-in
YAML
done

# image TAG PATH: a file of an image, or where a link leads, from the topmost layer that has it.
image() {
  python3 - "$work/oci" "$1" "$2" <<'PY'
import json, os, sys, tarfile
layout, tag, path = sys.argv[1:]
def blob(d): return os.path.join(layout, "blobs", *d.split(":"))
index = json.load(open(os.path.join(layout, "index.json")))
one = [m for m in index["manifests"] if m["annotations"]["org.opencontainers.image.ref.name"] == tag]
for layer in reversed(json.load(open(blob(one[0]["digest"])))["layers"]):
    with tarfile.open(blob(layer["digest"])) as t:
        for m in t:
            if os.path.normpath(m.name) == path:
                sys.stdout.buffer.write(m.linkname.encode() if m.issym() else t.extractfile(m).read())
                sys.exit(0)
sys.exit(f"{tag} has no {path}")
PY
}
has() { # has TAG PATH REGULAR-EXPRESSION
  image "$1" "$2" | grep -qE -- "$3" || { echo "FAILED: $2 of $1 does not match $3" >&2; exit 1; }
}
xtoo_root() { "$XTOO_CI/xtoo" "$@" -C "$tree" </dev/null; }

xtoo_root build --oci-layout "$work/oci" $host/xdev $host/app
mkdir -p "$tree/$pi/kantoo/my-stage4/overlay/usr/local/bin"
image $host/xdev srv/cross/hello > "$tree/$pi/kantoo/my-stage4/overlay/usr/local/bin/hello"
chmod 755 "$tree/$pi/kantoo/my-stage4/overlay/usr/local/bin/hello"
cat >> "$tree/$pi/kantoo/my-stage4/.xtoo-config.yaml" <<'YAML'
  - {name: cross, run: '[ "$(hello)" = "hello from another machine" ]', env: {PATH: "/usr/local/bin:/usr/bin:/bin"}}
YAML
(umask 077; echo 'a password of the example' > "$work/password")
xtoo_root build --oci-layout "$work/oci" --secret "root_password=file:$work/password" $pi/kantoo $pi/kantoo/my-stage4 $pi/kantoo/gateway

k=$pi/kantoo
crypt=$(image $k etc/shadow | sed -n 's/^root:\([^:]*\):.*/\1/p')
salt=$(cut -d'$' -f3 <<< "$crypt")
[ "$(openssl passwd -6 -salt "$salt" "$(cat "$work/password")")" = "$crypt" ] || { echo "FAILED: root's password in $k" >&2; exit 1; }
has $k etc/hostname '^kantoo$'
has $k etc/passwd '^larry:x:1000:1000:'
has $k etc/group '^wheel:x:[0-9]+:(.*,)?larry(,|$)'
has $k etc/sudoers.d/xtoo '^%wheel ALL=.*NOPASSWD'
has $k etc/fstab '^/dev/mmcblk0p1[[:space:]]+/boot[[:space:]]+vfat'
has $k etc/fstab '^/dev/mmcblk0p2[[:space:]]+/[[:space:]]+ext4'
has $k etc/inittab '^[^#]*ttyAMA0'
has $k etc/runlevels/default/dbus 'init.d/dbus'
has $k/my-stage4 etc/passwd '^alice:x:'
has $k/my-stage4 etc/group '^gpio:x:[0-9]+:(.*,)?alice(,|$)'
has $k/my-stage4 etc/issue '^my-stage4 on raspi4$'
has $k/gateway etc/motd 'forwards packets to wlan0'
has $k/gateway etc/sysctl.d/60-xtoo.conf 'net.ipv4.ip_forward *= *1'
if grep -rqF "$(cat "$work/password")" "$XTOO_STORE/logs" "$work/oci/index.json"; then
  echo "FAILED: the password stands in a log" >&2
  exit 1
fi
say "examples/universal holds what it says"
"$XTOO_CI/xtoo" clean --all -q
rm -rf "$work"
