#!/bin/bash
# The first process of the machine that machine.sh boots: it mounts what systems have mounted, executes the command that
# stands in /run/command, says how it ended, and ends the machine.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 TERM=dumb
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mkdir -p /dev/pts /dev/shm
mount -t devpts devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
command=$(cat /run/command)
mount -t tmpfs -o mode=0755 tmpfs /run

mount -t cgroup2 cgroup2 /sys/fs/cgroup
mount --make-rshared /
ip link set lo up 2>/dev/null || busybox ifconfig lo up
hostname machine 2>/dev/null
printf "\nmachine-begins\n"
eval "$command"
printf "\nmachine-exit: %d\n" $?
sync
echo b > /proc/sysrq-trigger
