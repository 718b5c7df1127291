# Lines of /etc/inittab: id:runlevels:action:process.

# inittab_is_busybox FILE: whether it is busybox' init that reads it, which has a terminal, or nothing, where sysvinit has an id.
inittab_is_busybox() { grep -qE '^::(sysinit|respawn|wait|once|shutdown|ctrlaltdel|askfirst|restart):' "$1"; }
