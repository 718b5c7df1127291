package oneid

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// A notification is struct seccomp_notif with the struct seccomp_data in it.
type notification struct {
	id    uint64
	pid   uint32 // of the thread, as init sees it
	flags uint32
	nr    int32
	arch  uint32
	ip    uint64
	args  [6]uint64
}

// A response is struct seccomp_notif_resp.
type response struct {
	id    uint64
	val   int64
	errno int32 // negative
	flags uint32
}

// An addition is struct seccomp_notif_addfd.
type addition struct {
	id                    uint64
	flags                 uint32
	srcfd, newfd, newflag uint32
}

// A listener is the file on which calls arrive. All of its calls are repeated when a signal interrupts them: a process
// whose answer is lost waits for ever.
type listener int

func (l listener) ioctl(op uintptr, arg unsafe.Pointer) unix.Errno {
	for {
		_, _, errno := unix.RawSyscall(unix.SYS_IOCTL, uintptr(l), op, uintptr(arg))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// receive waits for a call. ENOENT: the process was killed, wait for the next.
func (l listener) receive(n *notification) unix.Errno {
	for {
		*n = notification{} // the kernel insists
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l), unix.SECCOMP_IOCTL_NOTIF_RECV, uintptr(unsafe.Pointer(n)))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// soon says that there is, or may be, a call within some milliseconds. It stays on its processor of Go's scheduler meanwhile.
func (l listener) soon(ms int) bool {
	p := unix.PollFd{Fd: int32(l), Events: unix.POLLIN}
	left := unix.NsecToTimespec(int64(ms) * 1e6)
	n, _, _ := unix.RawSyscall6(unix.SYS_PPOLL, uintptr(unsafe.Pointer(&p)), 1, uintptr(unsafe.Pointer(&left)), 0, 0, 0)
	return int(n) > 0
}

// hungUp says that no process is left that could call.
func (l listener) hungUp() bool {
	p := []unix.PollFd{{Fd: int32(l), Events: unix.POLLIN}}
	n, err := unix.Poll(p, 0)
	return err == nil && n > 0 && p[0].Revents&(unix.POLLHUP|unix.POLLNVAL|unix.POLLERR) != 0
}

// valid says whether the call still waits: so the process is who it was.
func (l listener) valid(id uint64) bool {
	return l.ioctl(unix.SECCOMP_IOCTL_NOTIF_ID_VALID, unsafe.Pointer(&id)) == 0
}

// send answers a call. That the process is gone is nobody's concern.
func (l listener) send(r *response) { _ = l.ioctl(unix.SECCOMP_IOCTL_NOTIF_SEND, unsafe.Pointer(r)) }

// sendFile puts a file into the process and answers with its number. flags are O_CLOEXEC or 0.
func (l listener) sendFile(id uint64, fd int, flags uint32) unix.Errno {
	a := addition{id: id, flags: unix.SECCOMP_ADDFD_FLAG_SEND, srcfd: uint32(fd), newflag: flags}
	for {
		_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(l), unix.SECCOMP_IOCTL_NOTIF_ADDFD, uintptr(unsafe.Pointer(&a)))
		if errno != unix.EINTR {
			return errno
		}
	}
}

// syncWakeUp has the kernel run whoever is woken on the same processor, at once: since Linux 6.6, and a bonus.
func (l listener) syncWakeUp() {
	_, _, _ = unix.RawSyscall(unix.SYS_IOCTL, uintptr(l), unix.SECCOMP_IOCTL_NOTIF_SET_FLAGS, unix.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
}
