// Package filelock locks files: between the processes of a machine and, in the same way, between the goroutines of one.
// It is flock(2) with a context, since flock itself cannot be told to stop waiting. A lock belongs to the open file, so
// the kernel lets go of it when the process dies, however it dies. It knows nothing of what is locked.
//
// Where a file system has no locks (Lustre mounted without flock, NFS without its lock daemon), a name in the kernel stands in for the
// file: an abstract socket (unix(7)), which excludes the processes of this machine, or of this container, and no others.
//
// What it writes: [Try] and [Wait] make the file that they lock, empty, and remove it again; [Dir] and [Hold] leave nothing behind.
package filelock

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// ErrLocked says that somebody else holds the lock.
var ErrLocked = errors.New("locked by another process")

// The first and the longest pause between two tries to get a lock that another has.
const (
	firstPause   = 2 * time.Millisecond
	longestPause = 50 * time.Millisecond
)

// A Lock is held until Unlock, or until the process ends.
type Lock struct {
	files []*os.File // closing them lets go
	path  string     // to be removed; empty: nothing
}

// Try takes the lock of a file that exists only while it is locked, or fails with an error that wraps [ErrLocked].
// The directory of path must exist.
func Try(path string) (*Lock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		files := []*os.File{f}
		err = try(f)
		if noLocks(err) {
			var standIn *os.File
			if standIn, err = tryStandIn(f); err == nil {
				files = append(files, standIn)
			}
		}
		l := &Lock{files: files, path: path}
		if err != nil {
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), l.Abandon())
		}
		// The holder before us removes the file when it lets go. If that happened between our open and our
		// flock, we hold the lock of a file that nobody else will ever find: start over.
		same, err := named(f, path)
		if err != nil {
			return nil, errors.Join(err, l.Abandon())
		}
		if same {
			return l, nil
		}
		if err := l.Abandon(); err != nil {
			return nil, err
		}
	}
}

// Hold takes the lock of an open file until it is closed, or fails with an error that wraps [ErrLocked].
func Hold(f *os.File) error {
	if err := try(f); err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	return nil
}

// Wait is [Try] that waits until ctx ends. waiting, if not nil, is called once when somebody else holds the lock.
func Wait(ctx context.Context, path string, waiting func()) (l *Lock, err error) {
	err = poll(ctx, waiting, func() error {
		l, err = Try(path)
		return err
	})
	return l, err
}

// Dir locks a directory, waiting until ctx ends. The lock is on the directory itself. Where the file system cannot lock a
// directory (NFS wants a file that is open for writing), the file named fallback is locked, which nobody may replace; it
// need not exist yet. A file system that has no locks at all is used without.
//
// The error wraps fs.ErrNotExist if there is no directory of that name, or another one when the lock is had than when it
// was asked for: who can make the directory does so and calls again.
func Dir(ctx context.Context, dir, fallback string) (*Lock, error) {
	f, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	l := &Lock{files: []*os.File{f}}
	err = poll(ctx, nil, func() error { return try(f) })
	if noLocks(err) {
		err = l.also(ctx, f, fallback)
	}
	if err == nil {
		var same bool
		if same, err = named(f, dir); err == nil && !same {
			err = &fs.PathError{Op: "lock", Path: dir, Err: fs.ErrNotExist}
		}
	}
	if err != nil {
		return nil, errors.Join(err, l.Unlock())
	}
	return l, nil
}

// also locks the file in addition to a directory that cannot be locked, or else the name that stands in for the directory.
func (l *Lock) also(ctx context.Context, dir *os.File, file string) error {
	f, err := os.OpenFile(file, os.O_RDWR, 0)
	if err != nil {
		return nil //nolint:nilerr // not there yet, or not writable: whoever wants to write finds out
	}
	l.files = append(l.files, f)
	if err := poll(ctx, nil, func() error { return try(f) }); !noLocks(err) {
		return err
	}
	return poll(ctx, nil, func() error {
		standIn, err := tryStandIn(dir)
		if err == nil {
			l.files = append(l.files, standIn)
		}
		return err
	})
}

// Unlock lets go. The file of [Try] and [Wait] is removed first, while the lock still excludes everybody.
func (l *Lock) Unlock() error {
	var err error
	if l.path != "" {
		err = os.Remove(l.path)
	}
	return errors.Join(err, l.Abandon())
}

// Abandon lets go and leaves the file where it is.
func (l *Lock) Abandon() error {
	var all []error
	for _, f := range l.files {
		all = append(all, f.Close())
	}
	return errors.Join(all...)
}

// poll calls take until it answers something else than ErrLocked, or ctx ends.
func poll(ctx context.Context, waiting func(), take func() error) error {
	for pause := firstPause; ; pause = min(2*pause, longestPause) {
		err := take()
		if !errors.Is(err, ErrLocked) {
			return err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
}

// try takes the lock of an open file, or answers ErrLocked.
func try(f *os.File) error {
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EWOULDBLOCK):
			return ErrLocked
		}
		return err
	}
}

// tryStandIn takes the name that stands for an open file, or answers ErrLocked. Whoever closes it lets go.
func tryStandIn(f *os.File) (*os.File, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		return nil, os.NewSyscallError("fstat", err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	name := fmt.Sprintf("@xtoo-lock-%d-%x-%x", os.Geteuid(), st.Dev, st.Ino) // @ stands for the zero byte
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: name}); err != nil {
		if errors.Is(err, unix.EADDRINUSE) {
			err = ErrLocked
		}
		return nil, errors.Join(err, unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), name), nil
}

// noLocks tells the answers of file systems that have no locks for such a file.
func noLocks(err error) bool {
	for _, e := range []error{unix.EBADF, unix.ENOLCK, unix.EOPNOTSUPP, unix.EINVAL, unix.ENOSYS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// named says whether an open file is the one of that name.
func named(f *os.File, path string) (bool, error) {
	a, err := f.Stat()
	if err != nil {
		return false, err
	}
	b, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	return os.SameFile(a, b), nil
}
