#!/bin/sh -e
# A value that holds a list comes with its members separated by spaces.
mkdir -p /etc/init.d
for service in $XTOO_SERVICES; do
	printf '#!/sbin/openrc-run\ncommand=/usr/sbin/%s\n' "$service" > "/etc/init.d/$service"
	chmod 755 "/etc/init.d/$service"
	ln -sf "/etc/init.d/$service" "/etc/runlevels/default/$service"
done
