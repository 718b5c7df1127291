package stage

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// settle turns the process as it was cloned into one that can work.
func settle(req *request) error {
	if err := awaitIDs(controlFD + 1 + req.Files); err != nil {
		return err
	}
	if req.SetIDs || req.Groups {
		if err := becomeRoot(req); err != nil {
			return err
		}
	}
	if err := closeInherited(controlFD + 1 + req.Files); err != nil {
		return err
	}
	// Nothing of ours keeps a file system busy, and no path means one thing to one client and another to the next.
	if err := os.Chdir("/"); err != nil {
		return err
	}
	if req.MemoryLimit > 0 {
		debug.SetMemoryLimit(req.MemoryLimit)
	}
	os.Clearenv()
	for _, kv := range req.Env {
		// A name may begin with "=", but not be empty.
		if name, value, ok := strings.Cut(kv[min(1, len(kv)):], "="); ok {
			if err := os.Setenv(kv[:1]+name, value); err != nil {
				return err
			}
		}
	}
	// Events of the host may come in, nothing of ours goes out.
	if err := unix.Mount("", "/", "", unix.MS_REC|unix.MS_SLAVE, ""); err != nil {
		return host.ExplainStart(fmt.Errorf("make the mounts private: %w", err), 0)
	}
	return nil
}

// becomeRoot takes id 0 of the new namespace.
func becomeRoot(req *request) error {
	if req.Groups {
		if err := syscall.Setgroups(nil); err != nil {
			return host.ExplainStart(fmt.Errorf("drop supplementary groups: %w", err), 0)
		}
	}
	if !req.SetIDs {
		return nil
	}
	// All capabilities came over execve in the ambient set, and stay with a change of ids from others to 0.
	if err := syscall.Setresgid(0, 0, 0); err != nil {
		return fmt.Errorf("become group 0: %w", err)
	}
	if err := syscall.Setresuid(0, 0, 0); err != nil {
		return fmt.Errorf("become user 0: %w", err)
	}
	// The change made us undumpable, which gives /proc/self to the real root.
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 1, 0, 0, 0); err != nil {
		return fmt.Errorf("own /proc/self: %w", err)
	}
	return nil
}

// closeInherited closes what came in from outside of xtoo (a shell's open files) and marks our own to be closed on
// execve. Go itself opens everything close-on-exec, so what is not, from first on, came from outside.
func closeInherited(first int) error {
	for fd := controlFD; fd < first; fd++ {
		unix.CloseOnExec(fd)
	}
	dir, err := os.Open("/proc/self/fd")
	if err != nil {
		return err
	}
	names, err := dir.Readdirnames(-1)
	if err = errors.Join(err, dir.Close()); err != nil {
		return fmt.Errorf("list open files: %w", err)
	}
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd < first {
			continue
		}
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || flags&unix.FD_CLOEXEC != 0 {
			continue // already closed: it was the directory; or Go's own
		}
		if err := unix.Close(fd); err != nil {
			return fmt.Errorf("close inherited file %d: %w", fd, err)
		}
	}
	return nil
}

func isSocket(fd int) bool {
	var st unix.Stat_t
	return unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK
}
