#!/bin/bash
# Each program that was chosen brings its service into the default runlevel.
set -euo pipefail
declare -A service=(
  [app-admin/metalog]=metalog [net-dns/avahi]=avahi-daemon [net-misc/chrony]=chronyd
  [net-misc/networkmanager]=NetworkManager [net-fs/nfs-utils]=nfsclient [sys-apps/dbus]=dbus
)
for program in $XTOO_PROGRAMS; do
  name=${service[$program]:-}
  [ -z "$name" ] || rc-update add "$name" default
done
