#!/bin/bash
# Makes the two ordinary users, and a copy of the source with its modules that they can read.
set -euo pipefail
. scripts/ci/lib.sh

id xtoo-sub >/dev/null 2>&1 || useradd -m -s /bin/sh xtoo-sub
for kind in u g; do
  grep -q '^xtoo-sub:' "/etc/sub${kind}id" 2>/dev/null || usermod "--add-sub${kind}ids" 2000000-2065535 xtoo-sub
done
id xtoo-one >/dev/null 2>&1 || useradd -m -s /bin/sh -K SUB_UID_COUNT=0 -K SUB_GID_COUNT=0 xtoo-one
for kind in u g; do
  if grep -q '^xtoo-one:' "/etc/sub${kind}id"; then
    sed -i '/^xtoo-one:/d' "/etc/sub${kind}id"
  fi
done

rm -rf "$src"
mkdir -p "$XTOO_CI"
chmod 755 "$XTOO_CI"
touch "$XTOO_CI/begun" # lend_cache looks at its time
for user in "${ci_users[@]}"; do
  install -d -m 700 -o "$user" -g "$user" "$XTOO_CI/run-$user"
done
# Files of the working tree, committed or not, without what is ignored.
mkdir "$src"
git ls-files -z --cached --others --exclude-standard | while IFS= read -r -d '' f; do
  [ ! -e "$f" ] || printf '%s\0' "$f"
done | tar -cf - --null -T - | tar -xf - -C "$src"
(cd "$src" && GOFLAGS=-mod=mod "$GO" mod vendor)
chown -R xtoo-one: "$src" # who runs make there, with few tools; the others read
chmod -R a+rX "$src"
tail -n 1 /etc/subuid
say "the source is in $src"
