#!/bin/bash
# Builds a tree from an ARM root of real programs as each of the three users, under emulation, and compares what came
# out byte by byte; then looks for traces of the emulator in it.
set -euo pipefail
. scripts/ci/builds.sh
begin "$XTOO_CI/arm"
arch=arm-64bit/raspi4
stage3=$(bash scripts/ci/stage3.sh "$work" "$arch")
say "stage3: $(basename "$stage3"), $(stat -c %s "$stage3") bytes"
bash scripts/ci/tree.sh "$work/tree" next-arm "$stage3" "$arch"

# A package is installed for real.
packages=()
if tar -tf "$stage3" ./usr/bin/emerge >/dev/null 2>&1; then
  packages=(next-arm/packages)
  mkdir "$work/tree/next-arm/packages"
  cat > "$work/tree/next-arm/packages/.xtoo-config.yaml" <<'END'
network: host
scripts:
  - name: nano
    run: |
      #!/bin/bash -e
      # This emerge is one of make-stage3's, on top of apt-get, which downloads as another user.
      # Without translations the update is half as long. An index that is just being replaced is no reason to give up.
      apt-get update -qq -o Acquire::Languages=none || echo "not all indexes are there"
      emerge app-editors/nano
      nano --version > /etc/nano-version
      # What differs each time: lists and indexes of the moment, logs, inode numbers that ldconfig remembers.
      rm -rf /var/lib/apt/lists/* /var/cache/apt/*.bin /var/cache/apt/archives/*.deb /var/cache/ldconfig/aux-cache
      find /var/log -type f -delete
END
else
  say "this stage3 has no emerge: no package is installed"
fi
chmod -R a+rX "$work/tree"

rc=0
build_as_all next-arm "${packages[@]}"
same_from_all || rc=1
bash scripts/ci/judge-arm.sh "$work" next-arm next-arm/host next-arm/host/web next-arm/owners "${packages[@]}" || rc=1
clean_all || rc=1
[ $rc != 0 ] || rm -rf "$work"
exit $rc
