# shellcheck shell=bash
# What the phases share that build a tree as each of the users; sourced, with lib.sh, from the project's root.
# Everything of USER is in $work/USER.
. scripts/ci/lib.sh

# begin DIR: an empty directory to work in, and the program, which every user can execute.
begin() {
  local user
  work=$1
  rm -rf "$work"
  mkdir -p "$work/tree"
  chmod 755 "$work"
  CGO_ENABLED=0 "$GO" build -trimpath -buildvcs=false -tags "$TAGS" -o "$XTOO_CI/xtoo" ./cmd/xtoo
  chmod 755 "$XTOO_CI/xtoo"
  for user in "${ci_users[@]}"; do
    install -d -m 755 -o "$user" -g "$user" "$work/$user"
  done
}

# xtoo_as USER ARGUMENT…: the program, with the user's own store.
xtoo_as() {
  local user=$1
  shift
  VARIABLES=("XTOO_STORE=$work/$user/store")
  (cd / && as "$user" "$XTOO_CI/xtoo" "$@" </dev/null)
}

# build_as_all ROOT PROJECT…: tree.sh's projects of that root, and those named, as each user, in empty stores, with
# different numbers of jobs, into $work/USER/oci, $work/USER/host.sif and $work/USER/host.tar.xz, a stage4 with what stands beside it.
build_as_all() {
  local root=$1 user jobs=1 start tags
  shift
  tags=("$root" "$root/host" "$root/host/web" "$root/owners" "$@")
  for user in "${ci_users[@]}"; do
    xtoo_as "$user" doctor || true # what is missing where is for the reader of this log
    start=$SECONDS
    xtoo_as "$user" build --require-exact "${tags[@]}" -C "$work/tree" --jobs $jobs --oci-layout "$work/$user/oci"
    xtoo_as "$user" build --require-exact "$root/host" -C "$work/tree" --jobs $jobs --sif "$work/$user/host.sif" --stage4 "$work/$user/host.tar.xz"
    say "built by $user with --jobs $jobs in $((SECONDS - start)) s"
    chmod -R a+rX "$work/$user"/oci "$work/$user"/host.*
    bash scripts/ci/digests.sh "$work/$user" "${tags[@]}" > "$work/digests-$user"
    (cd "$work/$user" && sha256sum host.sif host.tar.xz host.tar.xz.*) >> "$work/digests-$user"
    jobs=$((jobs + 1))
  done
}

# same_from_all: what build_as_all made has the same digests, whoever the user was.
same_from_all() {
  local user rc=0
  for user in "${ci_users[@]:1}"; do
    diff "$work/digests-root" "$work/digests-$user" || { echo "FAILED: root's and $user's digests differ"; rc=1; }
  done
  [ $rc != 0 ] || say "the same bytes from all: $(wc -l < "$work/digests-root") digests of ${#ci_users[@]} users"
  return $rc
}

# clean_all: clean --all leaves nothing of a store, and with one id nothing in it would be in the way of rm.
clean_all() {
  local user left rc=0
  left=$(find "$work/xtoo-one/store" -type d ! -perm -700 | head -n 3)
  [ -z "$left" ] || { echo "FAILED: xtoo-one cannot empty $left"; rc=1; }
  for user in "${ci_users[@]}"; do
    xtoo_as "$user" clean --all || rc=1
    left=$(find "$work/$user" -path '*/store/*' | head -n 3)
    [ -z "$left" ] || { echo "FAILED: clean --all as $user left $left"; rc=1; }
  done
  return $rc
}
