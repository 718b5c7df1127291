#!/bin/bash
# What a board without a hardware clock, with a serial console and an SD card, needs to be told.
set -euo pipefail
echo "hostname=\"$XTOO_HOSTNAME\"" > /etc/conf.d/hostname
rc-update del hwclock boot || true
rc-update add swclock boot
sed -i '/ttyAMA0\|ttyS0/d' /etc/inittab
echo "s0:12345:respawn:/sbin/agetty -L 115200 $XTOO_SERIAL vt100" >> /etc/inittab
cat > /etc/fstab <<'FSTAB'
/dev/mmcblk0p1  /boot  vfat  noauto,noatime  1 2
/dev/mmcblk0p2  /      ext4  noatime         0 1
FSTAB
