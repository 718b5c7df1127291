package store

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"xtoo/internal/filelock"
)

// lockSuffix ends the name of a workspace's lock file.
const lockSuffix = ".lock"

// A Remover deletes directory trees whose files may belong to other ids of the user's range.
// It must not fail for trees that do not exist.
type Remover func(ctx context.Context, paths ...string) error

// A workspace is a directory below tmp/ for one process's work in progress.
// Its lock tells other processes that the work goes on.
type workspace struct {
	dir  string
	lock *filelock.Lock
}

// MakeTemp makes a new empty directory for work in progress; prefix is for people who look. It is gone after
// Close, or swept by the next build if this process dies.
func (s *Store) MakeTemp(prefix string) (string, error) {
	w, err := s.workspace(s.scratch)
	if err != nil {
		return "", fmt.Errorf("make a workspace: %w", err)
	}
	return os.MkdirTemp(w.dir, prefix+"-")
}

// Roots are the store's directory, the one of this machine's own in it, and its scratch, each once: everything of the
// store lies below them.
func (s *Store) Roots() []string { return slices.Compact([]string{s.dir, s.own, s.scratch}) }

// workspace returns this process's workspace below one of the store's directories, made when it is first needed.
func (s *Store) workspace(below string) (*workspace, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if w := s.work[below]; w != nil {
		return w, nil
	}
	if err := s.make(); err != nil {
		return nil, err
	}
	dir := filepath.Join(below, dirTmp, rand.Text()[:12])
	lock, err := filelock.Try(dir + lockSuffix)
	if err != nil {
		return nil, err
	}
	if err := os.Mkdir(dir, 0o700); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	s.work[below] = &workspace{dir: dir, lock: lock}
	return s.work[below], nil
}

// closeTimeout bounds the removal of work in progress: half a million files take some seconds.
const closeTimeout = 10 * time.Minute

// Close removes what is left of this process's work in progress. rm is asked only where the user's own
// rights do not suffice. It goes on for some time after ctx has ended. The store can be used again afterwards.
func (s *Store) Close(ctx context.Context, rm Remover) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeTimeout)
	defer cancel()
	s.mu.Lock()
	work := s.work
	s.work = map[string]*workspace{}
	s.mu.Unlock()
	var all []error
	for _, w := range work {
		if err := removeTree(ctx, w.dir, rm); err != nil {
			// The lock file stays: without its holder, it marks the directory for the next sweep.
			all = append(all, fmt.Errorf("remove the workspace: %w", err), w.lock.Abandon())
			continue
		}
		all = append(all, w.lock.Unlock())
	}
	return errors.Join(all...)
}

// removeTree removes a tree with the user's own rights, else with rm.
func removeTree(ctx context.Context, path string, rm Remover) error {
	return removeTrees(ctx, []string{path}, rm)
}

// removeTrees is removeTree for several; rm is called once at most.
func removeTrees(ctx context.Context, paths []string, rm Remover) error {
	var left []string
	for _, p := range paths {
		if err := removeOwn(ctx, p, removeDepth); ctx.Err() != nil {
			return ctx.Err()
		} else if err != nil {
			left = append(left, p)
		}
	}
	if len(left) == 0 {
		return nil
	}
	return rm(ctx, left...)
}

// removeDepth is how deep a tree is removed directory by directory, so that an end of the context is noticed.
const removeDepth = 5

func removeOwn(ctx context.Context, path string, depth int) error {
	if depth > 0 {
		entries, err := os.ReadDir(path)
		if err != nil {
			return os.RemoveAll(path) // it is no directory, or cannot be read
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if e.IsDir() {
				if err := removeOwn(ctx, filepath.Join(path, e.Name()), depth-1); err != nil {
					return err
				}
			}
		}
	}
	return os.RemoveAll(path)
}

// workName matches what a process has in tmp/.
var workName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[A-Z2-7]{12}(\.lock)?$`) })

// readDir lists a directory; one that is not there is empty.
func readDir(dir string) ([]fs.DirEntry, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return entries, err
}

// Sweep removes what dead processes left in tmp/.
func (s *Store) Sweep(ctx context.Context, rm Remover) error {
	for _, dir := range s.Roots() {
		entries, err := readDir(filepath.Join(dir, dirTmp))
		if err != nil {
			return err
		}
		for _, e := range entries {
			if err := ctx.Err(); err != nil {
				return err
			}
			if !workName().MatchString(e.Name()) {
				continue // a cleaning says that it is there
			}
			path := filepath.Join(dir, dirTmp, strings.TrimSuffix(e.Name(), lockSuffix))
			if err := s.sweepOne(ctx, path, rm); err != nil {
				return fmt.Errorf("remove what a dead build left: %w", err)
			}
		}
	}
	return nil
}

func (s *Store) sweepOne(ctx context.Context, path string, rm Remover) error {
	lock, err := filelock.Try(path + lockSuffix)
	if errors.Is(err, filelock.ErrLocked) {
		return nil
	}
	if err != nil {
		return err
	}
	s.log.Debug("remove what a dead build left", "path", path)
	return errors.Join(removeTree(ctx, path, rm), lock.Unlock())
}
