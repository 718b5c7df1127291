package oneid

import (
	"errors"

	"golang.org/x/sys/unix"
)

// A taken is the process from whose open files one was taken last: the next is, as a rule, the same's.
type taken struct {
	pid   int // 0: nobody's was
	pidfd int
}

func (t *taken) close() {
	if t.pid != 0 {
		closeFD(t.pidfd)
		t.pid = 0
	}
}

// take is a copy of a descriptor of the process. What was opened for its name only stays so.
func (r *request) take(fd int) (int, error) {
	t := &r.w.taken
	if t.pid == r.tid {
		// The number may have become another process's; then this one has ended.
		own, err := unix.PidfdGetfd(t.pidfd, fd, 0)
		if !errors.Is(err, unix.ESRCH) {
			return own, notOurs(err)
		}
	}
	t.close()
	tgid, err := r.tgid()
	if err != nil {
		return -1, err
	}
	if t.pidfd, err = unix.PidfdOpen(tgid, 0); err != nil {
		return -1, errProceed
	}
	t.pid = tgid
	own, err := unix.PidfdGetfd(t.pidfd, fd, 0)
	return own, notOurs(err)
}

// leads says that the calling thread is the first of its process, from which something was taken just now: another may have files
// of its own, and its number may become that of another process while this one lives.
func (r *request) leads() bool { return r.w.taken.pid == r.tid }

// notOurs has the kernel answer where it lets nobody look into the process.
func notOurs(err error) error {
	if errors.Is(err, unix.EPERM) {
		return errProceed
	}
	return err
}
