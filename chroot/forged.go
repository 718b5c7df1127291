package chroot

import (
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What is in a pid namespace can send process 1 of it only those signals for which it has handlers (pid_namespaces(7)). The runtime of
// Go has handlers for all, and ends the program at some as at an error of its own.

// dropForged gives up the handlers at which the runtime of Go ends, so that the kernel drops these signals when a script sends them.
// An error for which the kernel sends one ends init all the same, by the signal.
func dropForged() error {
	var byDefault [32]byte // struct sigaction of the kernel, of any machine: SIG_DFL, nothing else
	const sizeOfMask = 8
	for _, sig := range []unix.Signal{
		unix.SIGILL, unix.SIGTRAP, unix.SIGABRT, unix.SIGBUS, unix.SIGFPE, unix.SIGSEGV, unix.SIGSTKFLT, unix.SIGSYS,
	} {
		if _, _, errno := unix.RawSyscall6(unix.SYS_RT_SIGACTION, uintptr(sig), uintptr(unsafe.Pointer(&byDefault)), 0, sizeOfMask, 0, 0); errno != 0 {
			return fmt.Errorf("give up the handler of signal %d: %w", sig, errno)
		}
	}
	return nil
}
