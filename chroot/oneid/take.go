package oneid

import (
	"errors"

	"golang.org/x/sys/unix"
)

// A taken is the process from whose open files one was taken last: the next is, as a rule, the same's.
type taken struct {
	tid   int // of the thread that asked; 0: nobody has
	pidfd int
}

func (t *taken) close() {
	if t.tid != 0 {
		closeFD(t.pidfd)
		t.tid = 0
	}
}

// take is a copy of a descriptor of the process. What was opened for its name only stays so.
func (r *request) take(fd int) (int, error) {
	t := &r.w.taken
	if t.tid == r.tid {
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
	t.tid = r.tid
	own, err := unix.PidfdGetfd(t.pidfd, fd, 0)
	return own, notOurs(err)
}

// notOurs has the kernel answer where it lets nobody look into the process.
func notOurs(err error) error {
	if errors.Is(err, unix.EPERM) {
		return errProceed
	}
	return err
}
