package oneid

import (
	"errors"

	"golang.org/x/sys/unix"
)

// pidfdThread is PIDFD_THREAD: a pidfd of a thread, with the files that this one has (since Linux 6.9).
const pidfdThread = unix.O_EXCL

// A taken is the thread from whose open files one was taken last: the next is, as a rule, the same's.
type taken struct {
	tid   int // 0: nobody's was
	pidfd int
	own   bool // the files are those of the thread itself, and not of the first of its process
}

func (t *taken) close() {
	if t.tid != 0 {
		closeFD(t.pidfd)
		t.tid = 0
	}
}

// take is a copy of a descriptor of the process. What was opened for its name only stays so. own: it is the calling thread's; before
// Linux 6.9 it is the one that the first thread of its process has by that number, which in theory may have files of its own.
func (r *request) take(fd int) (copied int, own bool, err error) {
	t := &r.w.taken
	if t.tid == r.tid {
		// The number may have become another thread's; then this one has ended.
		copied, err = unix.PidfdGetfd(t.pidfd, fd, 0)
		if !errors.Is(err, unix.ESRCH) {
			return copied, t.own, notOurs(err)
		}
	}
	t.close()
	if err := t.open(r); err != nil {
		return -1, false, err
	}
	copied, err = unix.PidfdGetfd(t.pidfd, fd, 0)
	return copied, t.own, notOurs(err)
}

// open gets at the calling thread: at the first of its process where the kernel knows no other.
func (t *taken) open(r *request) error {
	fd, err := unix.PidfdOpen(r.tid, pidfdThread)
	own := err == nil
	if errors.Is(err, unix.EINVAL) {
		fd, err = unix.PidfdOpen(r.tid, 0) // which a first thread is all the same
		own = err == nil
	}
	if err != nil {
		tgid, err := r.tgid()
		if err != nil {
			return err
		}
		if fd, err = unix.PidfdOpen(tgid, 0); err != nil {
			return errProceed
		}
	}
	t.tid, t.pidfd, t.own = r.tid, fd, own
	return nil
}

// notOurs has the kernel answer where it lets nobody look into the process.
func notOurs(err error) error {
	if errors.Is(err, unix.EPERM) {
		return errProceed
	}
	return err
}
