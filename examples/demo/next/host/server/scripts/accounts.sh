#!/bin/sh -e
# The password comes as a file on a tmpfs. What is stored is not the password: a real system would use chpasswd,
# this one keeps a digest to show that the script saw it.
digest=$(sha256sum < "$XTOO_SECRETS/root_password" | cut -d ' ' -f 1)
umask 077
echo "root:demo-sha256:$digest" > /etc/shadow.demo

umask 022
echo 'operator:x:1000:1000:operator:/home/operator:/bin/sh' >> /etc/passwd
mkdir -p /home/operator
