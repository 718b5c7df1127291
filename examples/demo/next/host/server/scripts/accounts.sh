#!/bin/sh -e
# An account without a password, with a home of its own. (A chown would need a range of ids: see `xtoo doctor`.)
echo "$XTOO_ADMIN:x:1000:1000:$XTOO_ADMIN:/home/$XTOO_ADMIN:/bin/sh" >> /etc/passwd
echo "$XTOO_ADMIN:x:1000:" >> /etc/group
mkdir -p "/home/$XTOO_ADMIN"
chmod 700 "/home/$XTOO_ADMIN"
