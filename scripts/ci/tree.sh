#!/bin/bash
# tree.sh DIR ROOT STAGE3 [ARCH/SUBARCH]: a work directory whose root project does to a stage3 what layers are bad at.
set -euo pipefail
root=$1/$2 stage3="file: \"$3\"" arch=${4:-}
[ -z "$arch" ] || stage3+=", arch: ${arch%/*}, subarch: ${arch#*/}"
mkdir -p "$root/host/web" "$root/owners"
cat > "$root/.xtoo-config.yaml" <<END
stage3: {$stage3}
network: none
image: {cmd: [/bin/sh], env: {PATH: "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin"}}
END
cat > "$root/host/.xtoo-config.yaml" <<'END'
values: {hostname: "{{ .project.name }}"}
scripts:
  - name: files
    run: |
      #!/bin/sh -e
      mkdir -p /srv/replaced-by-file /srv/opaque/old /srv/gone
      echo dir > /srv/replaced-by-file/in; echo old > /srv/opaque/old/file; echo gone > /srv/gone/file
      echo file > /srv/replaced-by-dir; echo one > /srv/one; ln /srv/one /srv/one-link
      echo mode > /srv/mode; echo kept > /srv/kept; ln -s kept /srv/link; mkfifo /srv/fifo
      printf 'name with spaces\n' > '/srv/name with spaces and ünïcode'
  - name: changes
    run: |
      #!/bin/sh -e
      rm -r /srv/replaced-by-file; echo now a file > /srv/replaced-by-file
      rm /srv/replaced-by-dir; mkdir /srv/replaced-by-dir; echo in > /srv/replaced-by-dir/in
      rm -r /srv/opaque; mkdir /srv/opaque; echo new > /srv/opaque/new
      rm -r /srv/gone; chmod 700 /srv/mode; echo more >> /srv/one
      echo "$XTOO_HOSTNAME" > /etc/hostname; mkdir -p /etc/conf.d; echo "hostname=\"$XTOO_HOSTNAME\"" > /etc/conf.d/hostname
  - {name: machine, run: uname -m > /etc/machine}
  - {name: nothing, run: "true"}
END
cat > "$root/host/web/.xtoo-config.yaml" <<'END'
scripts:
  - name: page
    run: mkdir -p /srv/www && echo hello > /srv/www/index.html
image:
  entrypoint: [/bin/cat, /srv/www/index.html]
  cmd: []
  labels: {org.opencontainers.image.title: web}
  ports: [80/tcp]
END
cat > "$root/owners/.xtoo-config.yaml" <<'END'
scripts:
  - name: owners
    run: |
      #!/bin/sh -e
      mkdir -p /srv/owned; echo x > /srv/owned/file; chown -R 250:250 /srv/owned; chmod 2775 /srv/owned
      echo nobody > /srv/nobody; chown 65534:65534 /srv/nobody; chmod 4711 /srv/nobody
END
