package oneid

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// ucredSize is the size of struct ucred: process, user and group.
const ucredSize = 12

// passCreds is setsockopt(2) of SO_PASSCRED: from now on messages say who sent them, which the kernel does not know.
func (r *request) passCreds() answer {
	r.w.passed.Store(true)
	return proceed()
}

// peer is getsockopt(2) of SO_PEERCRED: who is at the other end of a socket. The kernel remembers who it was when the socket was
// connected or listened on, but knows one id only; so the process is asked for what it is now.
func (r *request) peer(socket int, value, length uint64) answer {
	if !r.w.creds.used() {
		return proceed()
	}
	var size [4]byte
	if r.read(length, size[:]) != nil || int32(binary.LittleEndian.Uint32(size[:])) < ucredSize {
		return proceed()
	}
	if home, err := r.atHome(); err != nil || !home {
		return proceed()
	}
	own, _, err := r.take(socket)
	if err != nil {
		return proceed()
	}
	defer closeFD(own)
	u, err := unix.GetsockoptUcred(own, unix.SOL_SOCKET, unix.SO_PEERCRED)
	if err != nil || u.Pid == 0 {
		return proceed() // nobody, or somebody outside of the node
	}
	c, changed, err := r.w.creds.of(int(u.Pid))
	same, sameErr := r.sameProcesses()
	if err != nil || sameErr != nil || changed && !same {
		r.w.lost.add("who was asked for by SO_PEERCRED: a process that has ended, or is in another process namespace")
		return proceed()
	}
	if !changed {
		return proceed()
	}
	b := make([]byte, 0, ucredSize)
	for _, v := range []uint32{uint32(u.Pid), c.uid.effective, c.gid.effective} {
		b = binary.LittleEndian.AppendUint32(b, v)
	}
	if err := r.write(value, b); err != nil {
		return failed(err)
	}
	if err := r.write(length, binary.LittleEndian.AppendUint32(nil, ucredSize)); err != nil {
		return failed(err)
	}
	return succeed(0)
}
