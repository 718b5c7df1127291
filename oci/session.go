package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"xtoo/internal/atomicfile"
)

// A session is one change of a layout: from the lock until its end nobody else changes it.
type session struct {
	made   []string // what this session made, outermost first: removed again if it fails
	unlock func()
}

// begin locks the layout. With create, a missing or empty directory becomes a layout first: a file oci-layout
// and an empty blobs/sha256, without an index.json.
func (l *Layout) begin(ctx context.Context, create bool) (*session, error) {
	for {
		s := &session{unlock: func() {}}
		if create {
			if err := s.mkdirs(l.dir); err != nil {
				s.end(err)
				return nil, unwritable(l.dir, fmt.Errorf("create layout: %w", err))
			}
		}
		same, err := l.lock(ctx, s, create)
		if err == nil && same {
			err = l.prepare(s, create)
		}
		if err != nil {
			s.end(err)
			return nil, err
		}
		if same {
			return s, nil
		}
		// The one who had the lock failed and removed the directory again: start over with a new one.
		s.unlock()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
	}
}

// prepare makes sure, under the lock, that the directory is a layout.
func (l *Layout) prepare(s *session, create bool) error {
	state, err := l.inspect()
	if err != nil {
		return err
	}
	if err := l.removeLeftovers(false); err != nil {
		return err
	}
	if state == stateLayout {
		return nil
	}
	if !create {
		return fmt.Errorf("open layout %s: %w: it has no file %s", l.dir, ErrNotLayout, v1.ImageLayoutFile)
	}
	file := filepath.Join(l.dir, v1.ImageLayoutFile)
	if err := atomicfile.Write(file, []byte(`{"imageLayoutVersion":"`+v1.ImageLayoutVersion+`"}`), 0o644); err != nil {
		return unwritable(l.dir, fmt.Errorf("create layout %s: %w", l.dir, err))
	}
	s.made = append(s.made, file, filepath.Join(l.dir, v1.ImageIndexFile))
	if err := s.mkdirs(filepath.Join(l.dir, v1.ImageBlobsDir, digest.SHA256.String())); err != nil {
		return unwritable(l.dir, fmt.Errorf("create layout %s: %w", l.dir, err))
	}
	return nil
}

// end gives the lock back. Where err says that the change failed, what the session made is removed, innermost
// first; a directory in which anything else has come to stand stays.
func (s *session) end(err error) {
	if err != nil {
		for _, name := range slices.Backward(s.made) {
			_ = os.Remove(name) // not there, or not empty: both are as they should be
		}
	}
	s.unlock()
}

// mkdirs is MkdirAll that remembers which directories it made.
func (s *session) mkdirs(dir string) error {
	var missing []string
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		} else if !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		missing = append(missing, d)
	}
	for _, d := range slices.Backward(missing) {
		err := os.Mkdir(d, 0o755)
		if err == nil {
			s.made = append(s.made, d)
		} else if !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	info, err := os.Stat(dir)
	if err == nil && !info.IsDir() {
		err = &fs.PathError{Op: "mkdir", Path: dir, Err: unix.ENOTDIR}
	}
	return err
}

// lock takes the layout for writing, waiting for others until ctx ends. The lock is on the directory itself, so
// it leaves nothing behind and ends with the process. Where the file system cannot lock a directory (NFS wants
// one that is open for writing) the file oci-layout is locked: nobody replaces it. A file system that has no
// locks at all is written without: then two builds at once must not share an output.
// same tells whether the directory that was locked is still the one under its name; again, that a directory
// which is not there is no error because the caller makes it and tries again.
func (l *Layout) lock(ctx context.Context, s *session, again bool) (same bool, err error) {
	f, err := os.Open(l.dir)
	if again && errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock layout: %w", err)
	}
	s.unlock = func() { _ = f.Close() } // it was opened for reading: closing gives the lock back and loses nothing
	err = flock(ctx, f)
	if noLocks(err) {
		err = l.lockFile(ctx, s)
	}
	if err != nil {
		return false, fmt.Errorf("lock layout %s: %w", l.dir, err)
	}
	locked, err := f.Stat()
	if err != nil {
		return false, fmt.Errorf("lock layout: %w", err)
	}
	named, err := os.Stat(l.dir)
	if again && errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("lock layout: %w", err)
	}
	return os.SameFile(locked, named), nil
}

// lockFile locks the file oci-layout in addition to a directory that cannot be locked.
func (l *Layout) lockFile(ctx context.Context, s *session) error {
	f, err := os.OpenFile(filepath.Join(l.dir, v1.ImageLayoutFile), os.O_RDWR, 0)
	if err != nil {
		return nil //nolint:nilerr // not there yet, or not writable: the write that follows says so
	}
	directory := s.unlock
	s.unlock = func() {
		_ = f.Close() // nothing was written through it
		directory()
	}
	if err := flock(ctx, f); !noLocks(err) {
		return err
	}
	return nil
}

func noLocks(err error) bool {
	for _, e := range []error{unix.EBADF, unix.ENOLCK, unix.EOPNOTSUPP, unix.EINVAL, unix.ENOSYS} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// flock asks again and again instead of sleeping in the kernel, so that a cancelled build ends at once.
func flock(ctx context.Context, f *os.File) error {
	for wait := 2 * time.Millisecond; ; wait = min(2*wait, 100*time.Millisecond) {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if err == unix.EINTR {
			continue
		}
		if err != unix.EWOULDBLOCK {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
	}
}
