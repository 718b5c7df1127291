#!/bin/sh
# Beside the type: types/gateway/notice.sh.
set -eu
echo "This machine forwards packets to $XTOO_UPLINK." > /etc/motd
