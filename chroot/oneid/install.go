package oneid

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// ErrNoNotification says that this kernel, or what this program runs in, does not let calls be answered, or not as they must be.
var ErrNoNotification = errors.New("the kernel lets nobody answer system calls (seccomp user notification)")

// Install puts the filter of a mode on the calling thread, which must be locked: what the thread starts inherits it, and
// nothing takes it off again. The caller hands the listener to [Supervisor.Serve]. It needs CAP_SYS_ADMIN in the user namespace
// of the thread, or no_new_privs. The error wraps ErrNoNotification; nothing is installed then.
func Install(m Mode) (*os.File, error) {
	program, err := filter(abis(), m.calls())
	if err != nil {
		return nil, err
	}
	if len(abis()) == 0 {
		return nil, fmt.Errorf("%w: not on %s", ErrNoNotification, runtime.GOARCH)
	}
	if err := able(); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrNoNotification, err)
	}
	const killable = unix.SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV // else a call that a signal interrupts is restarted after its effect
	fd, errno := install(program, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unhindered|killable)
	if errno == unix.EINVAL { // before Linux 5.19
		fd, errno = install(program, unix.SECCOMP_FILTER_FLAG_NEW_LISTENER|unhindered)
	}
	if errno != 0 {
		return nil, fmt.Errorf("%w: %w", ErrNoNotification, explain(errno))
	}
	return os.NewFile(uintptr(fd), "listener"), nil
}

// InstallPlain is what is left where [Install] fails: a filter that answers success to a change of owner with one id, and records
// nothing.
func InstallPlain(m Mode) error {
	if len(abis()) == 0 {
		return nil
	}
	m.plain = true
	program, err := filter(abis(), m.calls())
	if err != nil {
		return err
	}
	if _, errno := install(program, unhindered); errno != 0 {
		return fmt.Errorf("install a seccomp filter: %w", errno)
	}
	return nil
}

// explain words why a listener is refused.
func explain(errno unix.Errno) error {
	switch errno {
	case unix.EBUSY:
		return fmt.Errorf("somebody answers the calls of this program already, as in a node of another build or a container with a seccomp agent: %w", errno)
	case unix.EINVAL:
		return fmt.Errorf("it came with Linux 5.0: %w", errno)
	}
	return errno
}

// unhindered leaves the processes the speculation that they have without a filter: it keeps nothing from them. Before Linux 5.16 all
// that a process does is slower without.
const unhindered = unix.SECCOMP_FILTER_FLAG_SPEC_ALLOW

func install(program []unix.SockFilter, flags uintptr) (int, unix.Errno) {
	prog := unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]}
	fd, _, errno := unix.Syscall(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, flags, uintptr(unsafe.Pointer(&prog)))
	return int(fd), errno
}
