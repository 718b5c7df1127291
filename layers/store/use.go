package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containers/storage/pkg/lockfile"
	"golang.org/x/sys/unix"
)

// The store as a whole is locked with the lock files of containers/storage, which know shared locks. Within a process
// the library has one lock a file and never forgets it, so it is not for the many keys of [Store.Lock].

// errInUse says that another process works with the store.
var errInUse = errors.New("another xtoo is at work on this store, a build or a cleaning: wait until it has ended")

// usersFile is locked, shared, by every build, and exclusively by a cleaning. A scratch has one, too: stores may share it.
const usersFile = "lock"

// usePoll is how often a build looks whether a cleaning has ended.
const usePoll = 25 * time.Millisecond

// Use tells cleanings to stay away. The caller calls release. It waits for a running cleaning until ctx ends.
func (s *Store) Use(ctx context.Context) (release func(), err error) {
	for {
		release, err := s.take((*lockfile.LockFile).TryRLock)
		if err == nil {
			s.unmade() // by a cleaning, perhaps
			return release, nil
		}
		if !errors.Is(err, errInUse) {
			return nil, err
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(usePoll):
		}
	}
}

// Exclusive takes the store for this process alone, or fails. The caller calls release.
func (s *Store) Exclusive() (release func(), err error) { return s.take((*lockfile.LockFile).TryLock) }

// take locks all of the store's directories, or none: then the error is errInUse, if somebody else has one.
func (s *Store) take(try func(*lockfile.LockFile) error) (release func(), err error) {
	var all []func()
	release = func() {
		for _, one := range slices.Backward(all) {
			one()
		}
	}
	for _, dir := range s.Roots() {
		unlock, err := takeOne(dir, try)
		if err != nil {
			release()
			return nil, err
		}
		all = append(all, unlock)
	}
	return release, nil
}

func takeOne(dir string, try func(*lockfile.LockFile) error) (release func(), err error) {
	path := filepath.Join(dir, usersFile)
	for {
		if err := makeRooms(dir); err != nil {
			return nil, err
		}
		l, err := lockfile.GetLockFile(path)
		if err != nil {
			return nil, fmt.Errorf("lock the store: %w", err)
		}
		before, berr := os.Stat(path)
		if err := try(l); err != nil {
			// Within a process the library answers with the words of EAGAIN only.
			if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) || err.Error() == unix.EAGAIN.Error() {
				return nil, errInUse
			}
			return nil, fmt.Errorf("lock the store: %w", err)
		}
		// CleanAll removes the file. If it did so just before the lock was ours, nobody will ever find the lock: start
		// over.
		after, aerr := os.Stat(path)
		if berr == nil && aerr == nil && os.SameFile(before, after) {
			return l.Unlock, nil
		}
		l.Unlock()
	}
}
