// Package chroot executes things in user Namespaces: whatever needs more ids than the user has, and the
// nodes of a build.
//
// # Tiers
//
// [Probe] finds out how much of root this machine lets this user have. In the mapped tier a range of ids
// stands for the ids of an image: all of them for real root, the ranges of /etc/subuid and /etc/subgid for
// others, behind the user's own id, which is 0 inside. In the single tier there is only that id 0.
//
// # Stages
//
// A stage is this very program, executed again in a new user namespace, where it does one registered function
// and ends. The functions are named with [Register], before [Main] is called, which must be the first thing
// that main (and TestMain) does: in the program as the user started it Main returns at once, in a stage it never
// returns. [Host.Start] starts one:
//
//	chroot.Register("unpack", func(ctx context.Context, s *chroot.Stage) error {
//		var args unpackArgs
//		if err := s.Args(&args); err != nil {
//			return err
//		}
//		return s.Result(unpack(ctx, s.File(0), args))
//	})
//	chroot.Main()
//	…
//	host, err := chroot.Probe()
//	p, err := host.Start(ctx, chroot.Command{Stage: "unpack", Args: args, Files: []*os.File{pipe}})
//	err = p.Wait(&result)
//
// Parent and stage talk over one socket pair: the request goes one way, log records and one answer the other.
// The socket is also how a stage knows that its parent lives: at its end the context of the stage is cancelled,
// and a moment later the stage is gone, whatever it was doing. Errors cross the socket as text, with the error
// numbers and the sentinels that they wrap, so that errors.Is answers on the parent's side as it did in the stage.
//
// # Nodes
//
// [Host.Run] executes one process in a root made of layer directories: a stage that is process 1 of new
// user, mount, pid, ipc, uts and (with NetworkNone) network namespaces, mounts the overlay and what a script
// expects to find (/proc, /sys read-only, a small /dev, /run, /tmp, resolv.conf, hosts, volumes), becomes the
// init of it, and removes all traces of the mounts from the upper directory when the process has ended.
//
// # Emulation
//
// [Host.Emulate] finds out how programs of another architecture are executed here, and a [Node] is told by its field
// Emulation. On Linux 6.7 and later that is a binfmt_misc of the node's own user namespace, mounted nowhere: the
// file system lives as long as init has its directory open.
//
// Limits: in the single tier the supplementary groups of the user stay with every process (setgroups(2) is
// forbidden there) and show as group 65534. When real root builds, /proc/sys and its like are read-only, because the
// kernel lets id 0 write to them from any namespace; a whole /proc cannot be mounted once more inside of such a node, as
// Portage's pid-sandbox and unshare --mount-proc do.
//
// # Doctor
//
// [Diagnose] tries for real everything of the above and says what would let this host do more.
package chroot
