package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/containers/storage/pkg/lockfile"
	"golang.org/x/sys/unix"
)

// The store as a whole is locked with the lock files of containers/storage, which know shared locks. Within a process
// the library has one lock a file and never forgets it, so it is not for the many keys of [Store.Lock].

// errInUse says that another process works with the store.
var errInUse = errors.New("a build is running on this store: wait until it has ended")

// usersFile is locked, shared, by every build, and exclusively by a cleaning.
const usersFile = "lock"

// usePoll is how often a build looks whether a cleaning has ended.
const usePoll = 25 * time.Millisecond

// Use tells cleanings to stay away. The caller calls release. It waits for a running cleaning until ctx ends.
func (s *Store) Use(ctx context.Context) (release func(), err error) {
	path := s.path(usersFile)
	for {
		if err := makeRooms(s.dir); err != nil {
			return nil, err
		}
		l, err := lockfile.GetLockFile(path)
		if err != nil {
			return nil, fmt.Errorf("lock the store: %w", err)
		}
		before, berr := os.Stat(path)
		if l.TryRLock() == nil {
			// CleanAll removes the file. If it did so just before the lock was ours, nobody will ever find the
			// lock: start over.
			after, aerr := os.Stat(path)
			if berr == nil && aerr == nil && os.SameFile(before, after) {
				s.unmade() // by a cleaning, perhaps
				return l.Unlock, nil
			}
			l.Unlock()
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(usePoll):
		}
	}
}

// exclusive takes the store for this process alone, or returns errInUse.
func (s *Store) exclusive() (release func(), err error) {
	if err := makeRooms(s.dir); err != nil {
		return nil, err
	}
	l, err := lockfile.GetLockFile(s.path(usersFile))
	if err != nil {
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	if err := l.TryLock(); err != nil {
		// Within a process the library answers with the words of EAGAIN only.
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) || err.Error() == unix.EAGAIN.Error() {
			return nil, errInUse
		}
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	return l.Unlock, nil
}
