// Package chroot executes the nodes of a build: each is one process, described as by runtime-spec, in a root made of layer
// directories.
//
//	xtoo ─────────────── this package's Host: checks a Node, sends it, copies its output, waits
//	 │ ╲╲
//	 │  ╲╲ socket, pipe of the output
//	 │   ╲╲
//	server (chroot/stage) ─ user namespace with the ids of chroot/host; serves a whole build
//	 │     ╲
//	init ── process 1 of the node's user, mount, pid, ipc, uts and, with NetworkNone, network namespaces
//	 │
//	the node's process ── user, mount and uts namespaces below init's, the same ids
//	 │
//	whatever it starts
//
// # Nodes
//
// [Host.Run] has the server start init, which is this program, too. It mounts the overlay and what a script
// expects to find (/proc, /sys read-only, a small /dev, /run, /tmp, resolv.conf, hosts, volumes), starts the process, reaps and
// kills what that leaves behind, and removes all traces of the mounts from the upper directory when it has ended.
//
// Each node has a user namespace of its own below the server's, with the same ids or, for real root, with nobody's: what it mounts and registers (binfmt_misc
// is one for each user namespace) is nobody else's, and it has no capability over the server's mounts. In its process namespace
// it sees neither the server nor other nodes, so it can neither signal nor trace them, and of what the server has open
// init gets its socket and the pipe of the output alone, or, where a [Node] says so, pipes of input and errors, or a socket over which it sends the
// master of a pseudo-terminal that it has made of the node's own.
//
// The process has one user and one mount namespace more, below init's. So every mount that init has made is locked, with its
// flags: a script cannot take off what covers /proc/sys, nor make a read-only mount writable, though it can mount things of its own.
// It has no capability over init either: it cannot trace it, or take its files. Devices are bound read-only, since their
// inodes are the host's; its session keyring is new.
//
// # Emulation
//
// [Host.Emulate] finds out how programs of another architecture are executed here, and a [Node] is told by its field
// Emulation. On Linux 6.7 and later that is a binfmt_misc of the node's own user namespace, mounted nowhere: the
// file system lives as long as init has its directory open.
//
// Limits: in the single tier the supplementary groups of the user stay with every process (setgroups(2) is
// forbidden there) and show as group 65534 in /proc/PID/status; getgroups(2) tells what the script has set. When real root builds, a node has ids that are nobody's on the host, and the kernel
// maps those of the files (from Linux 5.19 on, on file systems that can; all volumes have to be on such). Where that is not to
// be had it has root's own ids. Then /proc/sys and its like are read-only, because the kernel lets id 0 write to them from
// any namespace, and a whole /proc cannot be mounted once more inside, as Portage's pid-sandbox and unshare --mount-proc do.
// In no tier can a script mount /proc of the namespace that it is in
// (mount -t proc): that is init's. It can bind the one there is (mount --rbind /proc …), or make a new process namespace first.
//
// # Doctor
//
// [Diagnose] tries for real everything of the above and says what would let this host do more. The trials are here and
// not in chroot/host, because they are what this package does to nodes, on almost nothing.
//
// The package knows no stores, no keys and no projects: directories, a specification and a writer are all it is given.
package chroot
