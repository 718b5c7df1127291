package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"xtoo/internal/atomicfile"
	"xtoo/internal/filelock"
)

// A session is one change of a layout: from the lock until its end nobody else changes it.
type session struct {
	made []string // what this session made, outermost first: removed again if it fails
	lock *filelock.Lock
}

// begin locks the layout, waiting for others until ctx ends. A missing or empty directory becomes a layout first: a file
// oci-layout and an empty blobs/sha256, without an index.json.
func (l *Layout) begin(ctx context.Context) (*session, error) {
	for {
		s := &session{}
		if err := s.mkdirs(l.dir); err != nil {
			s.end(err)
			return nil, unwritable(l.dir, fmt.Errorf("create layout: %w", err))
		}
		lock, err := filelock.Dir(ctx, l.dir, filepath.Join(l.dir, v1.ImageLayoutFile))
		if errors.Is(err, fs.ErrNotExist) && ctx.Err() == nil {
			continue // the one who had the lock failed and removed the directory again: start over with a new one
		}
		if err != nil {
			s.end(err)
			return nil, fmt.Errorf("lock layout %s: %w", l.dir, err)
		}
		s.lock = lock
		if err := l.prepare(s); err != nil {
			s.end(err)
			return nil, err
		}
		return s, nil
	}
}

// prepare makes sure, under the lock, that the directory is a layout.
func (l *Layout) prepare(s *session) error {
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
	file := filepath.Join(l.dir, v1.ImageLayoutFile)
	if err := atomicfile.Write(file, layoutMark(), 0o644); err != nil {
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
	if s.lock != nil {
		_ = s.lock.Unlock() // it is on a file that was opened for reading: nothing can be lost
	}
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
