package testutil

import (
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

// RefuseCall has the kernel answer a system call of this machine's own kind with an error, for the calling thread, which must be locked
// and never unlocked, or for the whole process, and for all that it starts, as the filters of containers do. Of clone, only
// what makes a user namespace is refused.
func RefuseCall(nr uintptr, errno syscall.Errno, process bool) error {
	if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
		return err
	}
	const call, argument = 0, 16 // in struct seccomp_data
	load := func(at uint32) unix.SockFilter {
		return unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: at}
	}
	filter := []unix.SockFilter{load(call), {Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jf: 1, K: uint32(nr)}}
	if nr == unix.SYS_CLONE { // threads are made with it, too
		filter[1].Jf = 3
		filter = append(filter, load(argument), unix.SockFilter{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, Jf: 1, K: unix.CLONE_NEWUSER})
	}
	filter = append(filter, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(errno)},
		unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW})
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	flags := uintptr(0)
	if process {
		flags = unix.SECCOMP_FILTER_FLAG_TSYNC
	}
	if _, _, failed := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&program))); failed != 0 {
		return failed
	}
	return nil
}
