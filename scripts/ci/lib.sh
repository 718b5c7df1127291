# shellcheck shell=bash
# What the scripts of continuous integration share; sourced from the project's root.

export GO=${GO:-go}
export TAGS="containers_image_openpgp exclude_graphdriver_btrfs exclude_graphdriver_devicemapper"
export XTOO_CI=${XTOO_CI:-/tmp/xtoo-ci}
# shellcheck disable=SC2034 # used by those who source this
src=$XTOO_CI/src #  a copy of the source, with its modules, that every user can read
# shellcheck disable=SC2034 # used by those who source this
ci_users=(root xtoo-sub xtoo-one)
# shellcheck disable=SC2034 # used by those who source this
depend_on_user='\./(chroot|cmd)(/.*)?' # packages whose slow cases run as each user, as a regular expression
# shellcheck disable=SC2034 # used by those who source this
# Packages that compute, or whose tests use no right that users have in different measure: they run as root alone.
# shellcheck disable=SC2034 # used by those who source this
no_user='\./((projects|qemu|unpack|sif/squashfs|layers/merge|internal/(demostage|depcheck|exportcheck|gendocs|nearest|streams))(/.*)?|layers|internal/(bench|engine))'

results=()
failures=0

# phase TITLE COMMAND…: runs it without standard input, and remembers how it ended.
phase() {
  local title=$1 start=$SECONDS rc=0
  shift
  printf '\n=== %s\n' "$title"
  "$@" </dev/null || rc=$?
  if [ $rc = 0 ]; then
    results+=("ok      $((SECONDS - start)) s  $title")
  else
    results+=("FAILED  $((SECONDS - start)) s  $title (exit $rc)")
    failures=$((failures + 1))
  fi
  return $rc
}

# summary prints how the phases ended and ends the script accordingly.
summary() {
  printf '\n=== summary (%d s)\n' "$SECONDS"
  printf '%s\n' "${results[@]}"
  if [ "$failures" -gt 0 ]; then
    echo "ci: $failures of ${#results[@]} phases failed; what was made is in $XTOO_CI"
    exit 1
  fi
  echo "ci: all ${#results[@]} phases are well"
  rm -rf "$XTOO_CI"
}

# give_stage3: tests that want a root of real programs get one.
give_stage3() {
  XTOO_TEST_STAGE3=$(cat "$XTOO_CI/stage3" 2>/dev/null) || XTOO_TEST_STAGE3=$(bash scripts/ci/stage3.sh "$XTOO_CI")
  echo "$XTOO_TEST_STAGE3" > "$XTOO_CI/stage3"
  export XTOO_TEST_STAGE3
}

home_of() { getent passwd "$1" | cut -d: -f6; }

# cache_of USER: go's build cache.
cache_of() {
  if [ "$1" = root ]; then "$GO" env GOCACHE; else echo "$XTOO_CI/gocache-$1"; fi
}

# lend_cache USER: what root has compiled in this run the user need not compile again. Go renews the time of what it
# uses where that is over an hour old; what is older still was not used, and may be many times as much.
lend_cache() {
  local from to
  from=$(cache_of root) to=$(cache_of "$1")
  [ ! -d "$to" ] || return 0
  mkdir "$to"
  (cd "$from" && find . -type f -newermt "@$(($(stat -c %Y "$XTOO_CI/begun") - 3700))" -print0 | tar -cf - --null -T -) | tar -xf - -C "$to"
  chown -R "$1:" "$to"
}

# as USER COMMAND…: as that user, in a clean environment, in the current directory.
# VARIABLES (an array), if set, are added to the environment.
as() {
  local user=$1 home name
  shift
  home=$(home_of "$user")
  local modules=(GOFLAGS=-mod=vendor GOPROXY=off)
  if [ "$user" = root ]; then # has the modules, and fetches the few that only tests use
    modules=(GOFLAGS=-mod=readonly)
    for name in GOMODCACHE GOPROXY GOSUMDB GONOSUMDB GOTOOLCHAIN; do modules+=("$name=$("$GO" env "$name")"); done
  fi
  local env=(HOME="$home" USER="$user" LOGNAME="$user" LANG=C.UTF-8 TERM=dumb
    PATH="${AS_PATH:-$(dirname "$(command -v "$GO")"):/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin}"
    GOCACHE="$(cache_of "$user")" XDG_RUNTIME_DIR="$XTOO_CI/run-$user" "${modules[@]}" CGO_ENABLED=0 "${VARIABLES[@]}")
  setpriv --reuid "$user" --regid "$user" --init-groups env -i "${env[@]}" "$@"
}
VARIABLES=()

say() { echo "ci: $*"; }

# judge TITLE COMMAND…: prints a line in the manner of a test; where the command fails, what it said, and rc is 1.
judge() {
  local title=$1 log
  shift
  log=$(mktemp)
  if "$@" > "$log" 2>&1; then echo "--- PASS: $title"; else
    echo "--- FAIL: $title"
    sed 's/^/    /' "$log" | tail -n 40
    # shellcheck disable=SC2034 # theirs who source this
    rc=1
  fi
  rm -f "$log"
}
