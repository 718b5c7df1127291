package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// lockPoll is how often a waiting [lockFile] tries again. flock(2) itself cannot be told to stop waiting.
const lockPoll = 25 * time.Millisecond

// errLocked says that somebody else holds the lock.
var errLocked = errors.New("locked by another process")

// A fileLock is a flock(2) on a file that exists only while it is locked or waited for.
//
// Locks belong to the open file, so two goroutines of one process exclude each other like two processes do,
// and the kernel lets go of them when the process dies, however it dies.
// The lock files of containers/storage serve for the store as a whole (see [Store.Use]) but not here: a process never
// forgets one, and there is one a key.
type fileLock struct {
	f    *os.File
	path string
}

// tryLockFile takes the lock or returns an error that wraps errLocked.
func tryLockFile(path string) (*fileLock, error) {
	for {
		f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
		if err != nil {
			return nil, err
		}
		if err := flock(f, unix.LOCK_EX|unix.LOCK_NB); err != nil {
			cerr := f.Close()
			if errors.Is(err, unix.EWOULDBLOCK) {
				return nil, fmt.Errorf("%s: %w", path, errLocked)
			}
			return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), cerr)
		}
		// The holder before us removes the file when it lets go. If that happened between our open and our
		// flock, we hold the lock of a file that nobody else will ever find: start over.
		same, err := sameFile(f, path)
		if err != nil {
			return nil, errors.Join(err, f.Close())
		}
		if same {
			return &fileLock{f: f, path: path}, nil
		}
		if err := f.Close(); err != nil {
			return nil, err
		}
	}
}

// lockFile waits for the lock until ctx ends. waiting, if not nil, is called once when somebody else holds it.
func lockFile(ctx context.Context, path string, waiting func()) (*fileLock, error) {
	for {
		l, err := tryLockFile(path)
		if err == nil || !errors.Is(err, errLocked) {
			return l, err
		}
		if waiting != nil {
			waiting()
			waiting = nil
		}
		if err := sleep(ctx, lockPoll); err != nil {
			return nil, err
		}
	}
}

func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// Unlock removes the file and lets go. The file goes first, while the lock still excludes everybody.
func (l *fileLock) Unlock() error {
	return errors.Join(os.Remove(l.path), l.f.Close())
}

func flock(f *os.File, how int) error {
	for {
		err := unix.Flock(int(f.Fd()), how)
		if !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

func sameFile(f *os.File, path string) (bool, error) {
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
