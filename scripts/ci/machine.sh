#!/bin/bash
# Boots a small virtual machine, whose root is this machine's (read-only, with a layer in memory over it), and executes a
# script in it as root: what this machine's kernel has not, or must not be told, is there. Its processor is emulated: a boot takes
# twenty seconds, and all else ten times as long as here (XTOO_MACHINE_ACCEL=kvm, where that works, makes it fast). Debian:
# qemu-system-x86 busybox-static cpio kmod; machines.sh: dosfstools.
#
#   scripts/ci/machine.sh [-a "KERNEL ARGUMENTS"] [-m MIB] SCRIPT [ARGUMENT…]
#
# Ends with the script's exit code; after XTOO_MACHINE_TIME seconds (default 600) it is ended. The kernel is Debian's linux-image-amd64, unpacked below $XTOO_CI and not installed; another
# is used with KERNEL=DIR, a directory in which such a package was unpacked and depmod has been. XTOO_MACHINE_QEMU has options for qemu:
# a file system to mount, say.
set -euo pipefail
cd "$(dirname "$0")/../.."
. scripts/ci/lib.sh

memory=2048 arguments=
while getopts a:m: o; do
  case $o in
    a) arguments=$OPTARG ;;
    m) memory=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
[ $# -gt 0 ] || { echo "machine.sh: which script?" >&2; exit 2; }
for program in qemu-system-x86_64 busybox cpio depmod modprobe; do
  command -v $program > /dev/null || { echo "machine.sh: there is no $program" >&2; exit 2; }
done

kernel=${KERNEL:-$XTOO_CI/kernel}
if [ ! -e "$kernel/boot" ]; then
  package=$(apt-cache depends linux-image-amd64 | sed -n 's/^ *Depends: //p' | head -n 1)
  rm -rf "$kernel.part"
  mkdir -p "$kernel.part"
  (cd "$kernel.part" && apt-get -qq download "$package" && dpkg-deb -x ./*.deb . && rm -- *.deb)
  depmod -b "$kernel.part" "$(ls "$kernel.part/lib/modules")"
  mv "$kernel.part" "$kernel"
fi
release=$(ls "$kernel/lib/modules")

# What is needed until the root is there.
initial=$(mktemp -d)
trap 'rm -rf "$initial"' EXIT
mkdir -p "$initial"/{bin,root,lower,over,dev,proc}
cp "$(command -v busybox)" "$initial/bin/busybox"
for m in virtio_pci 9pnet_virtio 9p overlay; do # a built-in one has no file
  modprobe -d "$kernel" -S "$release" --show-depends "$m" | sed -n 's/^insmod //p'
done | awk '!seen[$1]++ {print $1}' | while read -r file; do
  cp "$file" "$initial"
  basename "$file" >> "$initial/modules"
done
printf '%q ' "$(realpath "$1")" "${@:2}" > "$initial/command"
cat > "$initial/init" <<END
#!/bin/busybox sh
b=/bin/busybox
\$b mount -t proc proc /proc
while read -r m; do \$b insmod "/\$m"; done < /modules
fail() { echo "machine: cannot mount \$1"; \$b reboot -f; }
\$b mount -t 9p -o trans=virtio,version=9p2000.L,ro,msize=512000,cache=loose root /lower || fail root
\$b mount -t tmpfs -o size=90% tmpfs /over || fail tmpfs
\$b mkdir /over/upper /over/work
\$b mount -t overlay -o lowerdir=/lower,upperdir=/over/upper,workdir=/over/work overlay /root || fail overlay
\$b mkdir -p /root/usr/lib/modules
\$b mount --bind /root$kernel/lib/modules /root/usr/lib/modules || fail modules
\$b cp /command /root/run/command
\$b umount /proc
exec \$b switch_root /root /bin/bash $PWD/scripts/ci/machine-init.sh
END
chmod 755 "$initial/init"
(cd "$initial" && find . | cpio -o -H newc --quiet | gzip -1) > "$initial.cpio.gz"
trap 'rm -rf "$initial" "$initial.cpio.gz" "$initial.out"' EXIT

# shellcheck disable=SC2086 # the words of a variable
timeout "${XTOO_MACHINE_TIME:-600}" qemu-system-x86_64 -accel "${XTOO_MACHINE_ACCEL:-tcg}" -cpu max -smp 2 -m "$memory" -nographic -no-reboot -nodefaults \
  -serial stdio -kernel "$kernel/boot/vmlinuz-$release" -initrd "$initial.cpio.gz" \
  -append "console=ttyS0 quiet loglevel=3 panic=-1 $arguments" \
  -virtfs "local,path=/,mount_tag=root,security_model=none,readonly=on,multidevs=remap" ${XTOO_MACHINE_QEMU:-} \
  < /dev/null | sed -u 's|\r||g' | tee "$initial.out" | sed -un '/^machine-begins$/,$ {/^machine-/! p}'
exit "$(sed -n 's/^machine-exit: //p' "$initial.out" | tail -n 1 | grep -a . || echo 125)"
