package store

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/streams"
)

// A FileID tells whether a file is still the one that was read: its path, size, times and inode.
type FileID struct {
	Path  string `json:"path"`
	Size  int64  `json:"size"`
	Mtime int64  `json:"mtime_ns"`
	Ctime int64  `json:"ctime_ns"`
	Inode uint64 `json:"inode"`
}

// errNoFile says that a path leads to something else than a regular file.
var errNoFile = errors.New("not a regular file")

// errNoDir says that a path leads to something else than a directory.
var errNoDir = errors.New("not a directory")

// IdentifyFile looks at a file without opening it. Symbolic links are followed.
func IdentifyFile(path string) (FileID, error) {
	id, mode, err := identify(path)
	if err == nil && !mode.IsRegular() {
		return FileID{}, fmt.Errorf("%s is %w", path, errNoFile)
	}
	return id, err
}

// IdentifyDir is [IdentifyFile] for a directory: what is changed deeper in it does not show.
func IdentifyDir(path string) (FileID, error) {
	id, mode, err := identify(path)
	if err == nil && !mode.IsDir() {
		return FileID{}, fmt.Errorf("%s is %w", path, errNoDir)
	}
	return id, err
}

func identify(path string) (FileID, fs.FileMode, error) {
	abs, err := filepath.Abs(path)
	if err != nil {
		return FileID{}, 0, err
	}
	fi, err := os.Stat(abs)
	if err != nil {
		return FileID{}, 0, err
	}
	st, ok := fi.Sys().(*syscall.Stat_t)
	if !ok {
		return FileID{}, 0, fmt.Errorf("stat %s: no inode", path)
	}
	return FileID{Path: abs, Size: fi.Size(), Mtime: st.Mtim.Nano(), Ctime: st.Ctim.Nano(), Inode: st.Ino}, fi.Mode(), nil
}

// A FileRecord is what is remembered of a file outside the store.
type FileRecord struct {
	ID     FileID        `json:"file"`
	Digest digest.Digest `json:"digest"`
	// Made says, for a file that xtoo wrote, what it was made from.
	Made digest.Digest `json:"made_from,omitempty"`
	// Size in bytes of the files in a directory that xtoo wrote.
	Size int64 `json:"size,omitempty"`
}

// RememberedFile returns what is known of a file, if it is still the file that was remembered.
func (s *Store) RememberedFile(id FileID) (FileRecord, bool) {
	var r FileRecord
	if !s.Get(kindFile, digest.FromString(id.Path), &r) || r.ID != id {
		return FileRecord{}, false
	}
	return r, true
}

// RememberFile writes down what is known of a file.
func (s *Store) RememberFile(r FileRecord) error {
	return s.Put(kindFile, digest.FromString(r.ID.Path), Refs{File: &r.ID}, r)
}

// isSettled says whether a file whose digest is taken from now on will show by its times if it is changed after that: they
// are those of a clock that ticks, in hundredths of a second at most, on old file systems in whole seconds or two.
func (id FileID) isSettled(now time.Time) bool {
	tick := 100 * time.Millisecond
	if id.Ctime%int64(time.Second) == 0 {
		tick = 3 * time.Second
	}
	return now.Sub(time.Unix(0, id.Ctime)).Abs() > tick
}

// FileDigest returns the sha256 of a file, from memory if it is unchanged since it was last read. It is remembered unless
// the file was changed just before: another change in the same tick of the clock would not be seen.
func (s *Store) FileDigest(ctx context.Context, path string) (digest.Digest, FileID, error) {
	id, err := IdentifyFile(path)
	if err != nil {
		return "", FileID{}, err
	}
	if r, ok := s.RememberedFile(id); ok {
		return r.Digest, id, nil
	}
	settled := id.isSettled(time.Now())
	f, err := os.Open(path)
	if err != nil {
		return "", FileID{}, err
	}
	defer f.Close() // read only
	h := digest.SHA256.Digester()
	if _, err := io.CopyBuffer(h.Hash(), streams.WithContext(ctx, f), make([]byte, 1<<20)); err != nil {
		return "", FileID{}, fmt.Errorf("read %s: %w", path, err)
	}
	after, err := IdentifyFile(path)
	if err != nil {
		return "", FileID{}, err
	}
	if after != id {
		return "", FileID{}, fmt.Errorf("%s changed while it was read", path)
	}
	if !settled {
		return h.Digest(), id, nil
	}
	return h.Digest(), id, s.RememberFile(FileRecord{ID: id, Digest: h.Digest()})
}
