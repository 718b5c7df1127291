package oneid

import (
	"encoding/binary"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A world is what the processes of a node have in common: as long as none has asked for a root, a user namespace or a tree of mounts
// of its own, all have those of the first, and no call has to find them out. Which they are the supervisor never trusts a process
// with: one that gets past these calls is answered for the node's own root.
type world struct {
	watched bool        // those calls are seen
	starter int         // the thread that starts the first process, in namespaces of its own
	parted  atomic.Bool // one has asked
}

// shared says that all processes have the root and the user namespace of the first.
func (w *world) shared() bool { return w.watched && !w.parted.Load() }

// Flags of clone(2) and unshare(2).
const partingFlags = unix.CLONE_NEWUSER | unix.CLONE_NEWNS

// worldCalls are those by which processes part. The kernel executes them.
func worldCalls() []call {
	part := func(r *request) answer {
		if r.tid != r.w.world.starter {
			r.w.world.parted.Store(true)
		}
		return proceed()
	}
	parting := [][]test{{is(0, unix.CLONE_NEWUSER, unix.CLONE_NEWUSER)}, {is(0, unix.CLONE_NEWNS, unix.CLONE_NEWNS)}}
	return []call{
		{name: "chroot", nr: numbers{161, 61, 51, 61}, do: part},
		{name: "pivot_root", nr: numbers{155, 217, 41, 218}, do: part},
		{name: "setns", nr: numbers{308, 346, 268, 375}, do: part},
		{name: "unshare", nr: numbers{272, 310, 97, 337}, when: parting, do: part},
		{name: "clone", nr: numbers{56, 120, 220, 120}, when: parting, do: part},
		{name: "clone3", nr: everywhere(435), do: func(r *request) answer {
			var flags [8]byte // the first field of struct clone_args
			if err := r.read(r.args[0], flags[:]); err != nil || binary.LittleEndian.Uint64(flags[:])&partingFlags != 0 {
				return part(r)
			}
			return proceed()
		}},
	}
}
