#!/bin/bash
# What machines.sh executes in the virtual machine, as root: machines-inside.sh XTOO. A line for each thing that must be so.
# shellcheck disable=SC2317 # functions are called by judge
set -uo pipefail
cd "$(dirname "$0")/../.." || exit 1
. scripts/ci/lib.sh
rc=0
groups=/sys/fs/cgroup

# A disk, on which is all the rest: the root of this machine is an overlay.
work=/mnt/work
mkdir -p $work
truncate -s 800M /run/disk
mkfs.ext4 -q /run/disk
modprobe loop
mount -o loop /run/disk $work
mount --make-shared $work
chmod 1777 $work
cp "$1" $work/xtoo
mount --bind $work /var/tmp # TMPDIR is not everybody's

# A stage3 of busybox alone.
mkdir -p $work/root/{bin,etc,tmp,dev,proc,sys,run}
cp "$(command -v busybox)" $work/root/bin/busybox
for name in sh cat dd echo sleep true; do ln -s busybox "$work/root/bin/$name"; done
tar --owner=0 --group=0 --mtime=@1500000000 --sort=name -C $work/root -cf $work/stage3.tar .

# project NAME SCRIPT [KEYS]: one node.
project() {
  mkdir -p "$work/tree/$1"
  cat > "$work/tree/$1/.xtoo-config.yaml" <<END
stage3: {file: $work/stage3.tar, arch: x86-64bit, subarch: generic_64}
network: none
scripts:
  - {name: s, run: "$2"${3:+, $3}}
END
}
project plain "echo hello > /hello"
project group "cat /proc/self/cgroup" "memory: 64m, pids: 30"
project memory "dd if=/dev/zero of=/dev/null bs=200M count=1" "memory: 64m"
project few "true" "pids: 1"
project many "for i in 1 2 3 4 5 6 7 8 9; do sleep 3 & done; wait" "pids: 5"
chmod -R a+rX $work/tree

# xtoo USER COMMAND…: in the user's own store, or in $store.
xtoo() {
  local user=$1
  shift
  setpriv --reuid "$user" --regid "$user" --init-groups env -i HOME="$work" PATH="$PATH" LC_ALL=C \
    XTOO_STORE="${store:-$work/store-$user}" timeout 100 "$work/xtoo" "$@" 2>&1
}
build() { xtoo "$1" build -C "$work/tree" --no-cache "$2"; }

# says CODE PATTERN COMMAND…: ends with the code, and says something.
says() {
  local code=$1 pattern=$2 said got
  shift 2
  said=$("$@")
  got=$?
  if [ "$got" = "$code" ] && grep -q -- "$pattern" <<< "$said"; then return; fi
  echo "exit code $got, not $code with '$pattern':"
  echo "$said"
  return 1
}

limits() {
  judge "$1: the doctor knows the groups" says 0 "^ok    control group: " xtoo "$1" doctor
  judge "$1: a node is in a group of its own" says 0 "^group:s | 0::.*/xtoo-[0-9]" build "$1" group
  judge "$1: the limit of memory is enforced, and said" says 3 "memory: the limit was reached, and 1 processes were killed" build "$1" memory
  judge "$1: the limit of processes is enforced, and said" says 3 "pids: the limit was reached" build "$1" many
  judge "$1: xtoo's own threads do not count" says 0 "1 node executed" build "$1" few
  judge "$1: no group is left" [ -z "$(find $groups -name 'xtoo-*')" ]
}
# inside GROUP: this shell and what it starts.
inside() { echo $$ > "$groups/$1/cgroup.procs"; }

uname -r
for user in "${ci_users[@]}"; do judge "$user: a node is executed where mounts are shared" says 0 "1 node executed" build "$user" plain; done
judge "nothing is mounted outside" [ -z "$(grep $work/store /proc/self/mountinfo)" ]

echo "+memory +pids" > $groups/cgroup.subtree_control
mkdir -p $groups/root.slice/session $groups/login.slice/session $groups/half.slice/session
for slice in root login half; do echo "+memory +pids" > $groups/$slice.slice/cgroup.subtree_control; done
chown xtoo-sub $groups/half.slice # groups can be made there, but nothing be moved
inside root.slice/session
limits root
for slice in login half; do
  inside $slice.slice/session
  judge "xtoo-sub: in $slice.slice nothing is limited, which is said" says 0 "memory and pids are not limited.*systemd-run --user --scope" build xtoo-sub group
  judge "xtoo-sub: so does the doctor" says 0 "^warn  control group: there is no control group" xtoo xtoo-sub doctor
done
# As systemd delegates to a user's manager, which makes a scope.
manager=$groups/user.slice/user@1.service
mkdir -p "$manager"
for dir in $groups/user.slice "$manager"; do echo "+memory +pids" > "$dir/cgroup.subtree_control"; done
chown xtoo-sub "$manager" "$manager"/cgroup.{procs,subtree_control,threads}
setpriv --reuid xtoo-sub --regid xtoo-sub --clear-groups bash -c "mkdir -p $manager/app.slice/run.scope && echo '+memory +pids' > $manager/app.slice/cgroup.subtree_control"
inside user.slice/user@1.service/app.slice/run.scope
limits xtoo-sub

for kind in ramfs overlay; do
  mkdir -p /mnt/$kind
  [ $kind = overlay ] || mount -t $kind $kind /mnt/$kind
  for user in xtoo-sub xtoo-one; do
    install -d -m 700 -o $user /mnt/$kind/$user
    store=/mnt/$kind/$user/store
    judge "$user: a store on $kind has its layers elsewhere" says 0 "1 node executed" build $user plain
    judge "$user: the doctor says where" says 0 "^ok    scratch: layer directories are in /var/tmp/xtoo-.* is on $kind" xtoo $user doctor
    judge "$user: all of it can be removed" says 0 "removed everything" xtoo $user clean --all
  done
done
# A file system without owners, modes, symbolic links and xattrs.
modprobe vfat && modprobe nls_cp437 && modprobe nls_ascii
truncate -s 64M /run/fat
mkfs.vfat /run/fat > /dev/null
mkdir -p /mnt/vfat
mount -o loop,uid=xtoo-one,umask=077 /run/fat /mnt/vfat
store=/mnt/vfat/store
judge "xtoo-one: a store on vfat has its layers elsewhere" says 0 "1 node executed" build xtoo-one plain
judge "xtoo-one: the doctor says how to mount it" says 0 "umask=077" xtoo xtoo-one doctor
store=

# A group that lets no process be started.
echo "+pids" > $groups/cgroup.subtree_control
mkdir -p $groups/full
echo 12 > $groups/full/pids.max
inside full
judge "xtoo-one: a group without room for processes is named" says 4 "/sys/fs/cgroup/full may have 12 processes" xtoo xtoo-one doctor
judge "xtoo-one: and before a build starts any" says 4 "pids.max" build xtoo-one plain
inside .

# A /proc that shows a user his own processes only, and one without the settings of namespaces.
mount -o remount,hidepid=2 /proc
for user in xtoo-sub xtoo-one; do judge "$user: hidepid does not matter" says 0 "1 node executed" build $user plain; done
mount -o remount,hidepid=0 /proc
mkdir /run/empty
mount --bind /run/empty /proc/sys/user
judge "xtoo-one: what hides a part of /proc is said" says 4 "unmask=ALL" xtoo xtoo-one doctor
umount /proc/sys/user

# Nobody may look into another process, until the machine is started anew.
sysctl -q -w kernel.yama.ptrace_scope=3
judge "xtoo-one: the doctor says why nothing is recorded" says 0 "ptrace_scope is 3" xtoo xtoo-one doctor
judge "xtoo-one: an image that may not be exact is said to be so" says 0 "may not be what root would make.*ptrace_scope" build xtoo-one plain
judge "root: its images are what they are" says 0 "1 node executed" build root plain

sysctl -q -w kernel.unprivileged_userns_clone=0
for user in root xtoo-one; do
  judge "$user: the setting that forbids user namespaces is named" says 4 "sysctl -w kernel.unprivileged_userns_clone=1" xtoo $user doctor
done
sysctl -q -w kernel.unprivileged_userns_clone=1 user.max_user_namespaces=0
judge "root: so is their limit" says 4 "sysctl -w user.max_user_namespaces=" xtoo root doctor
exit $rc
