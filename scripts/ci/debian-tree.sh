#!/bin/bash
# debian-tree.sh DIR TAR: a work directory with one project, debian, on that root.
set -euo pipefail
mkdir -p "$1/debian"
cat > "$1/debian/.xtoo-config.yaml" <<END
stage3: {file: "$2"}
END
cat >> "$1/debian/.xtoo-config.yaml" <<'END'
network: none
image: {cmd: [/bin/sh], env: {PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}}
scripts:
  - name: users
    run: |
      #!/bin/bash -ex
      groupadd -g 1500 people
      useradd -m -u 1500 -g 1500 -G mail,users person
      useradd -r -u 499 -d /var/lib/daemon -m daemonic
      echo person:secret | chpasswd -e
      rm -f /etc/*- # copies of before, with times
  - name: become
    run: |
      #!/bin/bash -ex
      mkdir -m 1777 /srv/open; cd /srv/open
      su person -c 'id > su; mkdir su.d; ln -s su su.l; mkfifo su.p'
      su - person -c 'id -un; touch from-home; umask > .umask; echo "$HOME" > .home'
      runuser -u person -- sh -c 'id -G; echo runuser > runuser'
      runuser -l daemonic -s /bin/sh -c 'id > ran'
      setpriv --reuid 1500 --regid 1500 --init-groups sh -c 'id > setpriv'
      setpriv --reuid 1500 --regid 1500 --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all sh -c 'id > setpriv-2'
      setpriv --reuid 1500 --regid 1500 --clear-groups --inh-caps=+net_raw --ambient-caps=+net_raw touch ambient
      echo 'person ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/person
      sudo -u person sh -c 'id > sudo'
      su person -c 'sudo sh -c "id > sudo-back; chown 499 sudo-back"'
      su person -c 'sudo -n -u daemonic id > sudo-on'
      chpst() { perl -e '$) = "33 33 8"; $( = 33; $< = $> = 33; $> = 0; die "regained" if $> == 0; exec @ARGV' "$@"; }
      chpst sh -c 'id; echo x > chpst; perl -MSocket -e "socket S, AF_UNIX, SOCK_STREAM, 0; bind S, sockaddr_un(q(socket)) or die"' > /dev/null
      not() { if "$@" 2>/dev/null; then echo "this should have failed: $*"; exit 1; fi; }
      not su person -c 'touch /root/no'
      not su person -c 'echo x >> /etc/passwd'
      not su person -c 'chown root su'
      not su person -c 'mknod null c 1 3'
      not su person -c 'mkdir /srv/no'
      not setpriv --reuid 1500 --clear-groups --regid 1500 setpriv --reuid 0 true
      rm -rf /var/log/* /run/sudo /var/lib/sudo
  - name: copies
    run: |
      #!/bin/bash -ex
      mkdir -p /srv/copies/a; cd /srv/copies/a
      echo one > one; ln one two; ln -s one link; mkfifo fifo; mkdir dir; echo in > dir/in
      chown person:people one dir dir/in; chown -h 499:8 link; chown 33:33 fifo; chmod 2775 dir; chmod 4711 one
      setfacl -m u:1500:rw,g:8:r dir/in; setfattr -n user.note -v text dir/in
      mknod null c 1 3; mknod loop b 7 0; chown 7:6 loop; test -c null
      cd ..
      cp -a a cp
      tar -cf a.tar --xattrs --acls -C a .; mkdir tar; tar -xpf a.tar --same-owner --xattrs --acls -C tar
      rsync -aAXH --devices --specials a/ rsync/
      install -o person -g people -m 2750 -d installed; install -o 499 -g mail -m 4755 a/dir/in installed/in
      if runuser -u person -- cp -a a/dir theirs; then exit 1; fi
      runuser -u person -- cp -a a/dir /srv/open/theirs
      runuser -u person -- tar -xf a.tar --no-same-permissions -C /srv/open ./dir ./link
      runuser -u person -- rsync -a a/dir/ /srv/open/rsync/
      runuser -u person -- install -m 755 a/dir/in /srv/open/installed
      tar -tvf a.tar --numeric-owner | awk '{ $4 = $5 = ""; print }' | LC_ALL=C sort > /srv/list # without times
      find . -printf '%p %y %m %U:%G %l\n' | LC_ALL=C sort > /srv/found
      rm a.tar
      mkdir lists; setfacl -m u:499:x -d -m u:1500:rwx,g:8:rx lists; (umask 077; touch lists/before; mkdir lists/sub)
      chown --from=person 0 tar/dir/in; chgrp mail /srv/open/rsync; chmod u+s tar/dir/in; sed -i s/in/out/ rsync/dir/in
  - name: capabilities
    run: |
      #!/bin/bash -ex
      (umask 077; touch /srv/copies/lists/after /srv/copies/lists/sub/after; cp -a /srv/copies/lists /srv/lists; mkdir /srv/copies/lists/sub/sub)
      getfacl -Rn /srv/copies/lists /srv/lists > /srv/facls; chmod g-s /srv/copies/installed; touch /srv/copies/installed/after
      cp /usr/bin/setpriv /srv/setpriv; setcap cap_net_raw,cap_chown=ep /srv/setpriv
      runuser -u person -- /srv/setpriv --dump > /dev/null
      cp -a /srv/setpriv /srv/kept; getcap /srv/kept
      cp /srv/setpriv /srv/written; setcap cap_net_raw=ep /srv/written; echo >> /srv/written
      [ -z "$(getcap /srv/written)" ]; chown 1500 /srv/written
  - name: below
    run: |
      #!/bin/bash -ex
      # Roots below this one, other mounts, other owners of a package's files.
      mkdir -p /srv/root; tar -C / -c --one-file-system bin lib lib64 usr/bin usr/sbin usr/lib usr/lib64 etc/passwd etc/group etc/shadow etc/gshadow etc/login.defs etc/nsswitch.conf etc/pam.d 2>/dev/null | tar -C /srv/root -xp
      useradd -R /srv/root -m -u 1600 -U -d /home/below below; mkdir -p /srv/root/home /srv/root/srv
      chroot /srv/root install -d -o below -g mail -m 2775 /srv/of; chroot /srv/root install -o 499 -g 8 -m 4755 /usr/bin/true /srv/of/true
      chroot --userspec=below:mail /srv/root sh -c 'id -u > /srv/of/id; mkdir /srv/of/dir'
      unshare -m sh -ec 'mount -t tmpfs none /mnt; echo x > /mnt/x; chown 7:8 /mnt/x; cp -a /mnt/x /srv/from-mount; mount --bind /srv/root/srv /mnt; chown -h 33 /mnt/of/id; umount /mnt'
      unshare -mpf --mount-proc sh -ec 'su person -c "id -u; touch /srv/open/in-namespaces"; chown 5 /srv/open/in-namespaces'
      dpkg-statoverride --update --add person mail 2755 /usr/bin/wall 2>/dev/null || dpkg-statoverride --update --add person mail 2755 /usr/bin/chsh
      dpkg-statoverride --list > /srv/overrides
      mkdir /srv/hard; cp -a /srv/copies/. /srv/hard/; rsync -aHAX --numeric-ids /srv/copies/ /srv/rsynced/; tar -C /srv --acls --xattrs --xattrs-include='*' -cf - copies | tar -C /srv/hard -xp --acls --xattrs --xattrs-include='*' --numeric-owner
      (cd /srv; find root hard rsynced open -printf '%p %y %m %U:%G %n\n' | LC_ALL=C sort; getfacl -Rn rsynced hard; getfattr -Rhd -m - rsynced hard | grep -v '^#') > /srv/below
      mv /srv/root/srv /srv/of-root; rm -rf /srv/root /srv/hard/copies/a /srv/from-mount.*
  - name: package
    run: |
      #!/bin/bash -ex
      # One whose script does all that such scripts do.
      mkdir -p /tmp/p/DEBIAN /tmp/p/usr/bin /tmp/p/etc /tmp/p/var/lib/thing; cd /tmp/p
      cp /usr/bin/setpriv usr/bin/thing; echo secret > etc/thing.conf; echo x > var/lib/thing/shipped; chown 33:33 var/lib/thing/shipped
      printf 'Package: thing\nVersion: 1\nArchitecture: all\nMaintainer: nobody <nobody@localhost>\nDescription: a thing\n' > DEBIAN/control
      cat > DEBIAN/postinst <<'END-OF-SCRIPT'
      #!/bin/sh -e
      useradd -r -u 498 -U -d /var/lib/thing _thing
      chown -R _thing:_thing /var/lib/thing; chmod 2750 /var/lib/thing
      chown root:_thing /etc/thing.conf; chmod 640 /etc/thing.conf
      setcap cap_net_bind_service=ep /usr/bin/thing
      su -s /bin/sh _thing -c 'umask 077; mkdir /var/lib/thing/db; echo new > /var/lib/thing/db/state'
      setpriv --reuid _thing --regid _thing --init-groups sh -c 'echo log > /var/lib/thing/log'
      install -o _thing -g mail -m 2755 /usr/bin/thing /usr/bin/thing-mail
      END-OF-SCRIPT
      sed -i 's/^      //' DEBIAN/postinst; chmod 755 DEBIAN/postinst
      dpkg-deb --build /tmp/p /srv/debs/thing_1_all.deb
      # A repository in files, copied by apt as its own user.
      cd /srv/debs
      for f in *.deb; do dpkg-deb -f "$f"; printf 'Filename: ./%s\nSize: %s\nSHA256: %s\n\n' "$f" "$(stat -c %s "$f")" "$(sha256sum < "$f" | cut -d' ' -f1)"; done > Packages
      rm /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null || true
      echo 'deb [trusted=yes] copy:/srv/debs ./' > /etc/apt/sources.list
      export DEBIAN_FRONTEND=noninteractive
      apt-get update; stat -c '%U %a' /var/lib/apt/lists/partial > /srv/partial
      apt-get install -y --no-install-recommends thing iputils-ping at cron dbus
      apt-get clean
      stat -c '%a %u:%g %n' /usr/bin/at /usr/bin/crontab /var/spool/cron/* /usr/bin/thing* /var/lib/thing/* > /srv/stats
      rm -rf /srv/debs /tmp/p /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/ldconfig/aux-cache /var/lib/dbus/machine-id /etc/machine-id
      find /var/log -type f -delete; rm -f /etc/*- /var/lib/dpkg/*-old /var/cache/debconf/*-old
END
