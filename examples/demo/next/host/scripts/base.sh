#!/bin/sh -e
# Parents run last: what the children wrote is there.
hostname=$(cat /etc/conf.d/hostname)
test -s /etc/motd

# Deleting what the stage3 brought leaves a whiteout in this node's layer, not a copy of anything.
rm -r /var/games

install -d -m 1777 /var/spool/demo
echo "built with $hostname" > /etc/local.d/base.start
chmod 755 /etc/local.d/base.start
