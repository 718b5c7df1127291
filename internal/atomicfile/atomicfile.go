// Package atomicfile writes files that appear whole or not at all: a temporary file in the same
// directory, synced, then renamed over the final name; for an output beside files of the user's, one without a name
// where there are such files, so that not even a killed process leaves anything. It knows nothing of what is written.
package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// A File is a file under construction. Exactly one of Commit and Abort ends it; Abort after Commit does nothing,
// so that `defer f.Abort()` is the usual form. It is not safe for concurrent use, except for WriteAt.
type File struct {
	*os.File
	path    string
	unnamed bool // it has no name yet, and is gone with the process
	done    bool
}

// Create starts a file that Commit will give the name path and the permissions perm (less the umask,
// as the file is created with them). The temporary file stands in path's directory as `.<base>.<random>.part`.
func Create(path string, perm fs.FileMode) (*File, error) {
	var f *os.File
	_, err := temporary(path, func(name string) (err error) {
		f, err = os.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, perm)
		return err
	})
	if err != nil {
		return nil, err
	}
	return &File{File: f, path: path}, nil
}

// temporary finds a name for a temporary file beside path: create is called with names until it does not find the
// name taken.
func temporary(path string, create func(name string) error) (string, error) {
	dir, base := filepath.Split(path)
	for range 100 {
		name := filepath.Join(dir, prefix(base)+randomName()+suffix)
		if err := create(name); !errors.Is(err, fs.ErrExist) {
			return name, err
		}
	}
	return "", fmt.Errorf("create a temporary file beside %s: too many tries", path)
}

// Commit syncs the file, closes it and renames it to its final name, then syncs the directory.
// After an error the final name is as it was before and the temporary file is gone.
func (f *File) Commit() error { return f.commitAs(f.path) }

// commitAs is Commit for a file whose final name was not known when it was created.
// path must be on the same file system.
func (f *File) commitAs(path string) error {
	if err := f.CommitContent(path); err != nil {
		return err
	}
	return SyncDir(filepath.Dir(path))
}

// CommitContent is commitAs without syncing the directory: a power cut may cost the name, but a name that is there has all of its
// content. Before anything that relies on the name is written there has to be a [SyncDir], one for many files.
func (f *File) CommitContent(path string) error {
	f.path = path
	if f.done {
		return fmt.Errorf("commit %s: already ended", f.path)
	}
	if err := f.Sync(); err != nil {
		f.Abort()
		return fmt.Errorf("sync %s: %w", f.path, err)
	}
	return f.Place(path)
}

// Place is commitAs without syncing, for what can be had again: nobody sees a part of it, but a power cut may cost it,
// or leave its name without all of its content.
func (f *File) Place(path string) error {
	f.path = path
	if f.done {
		return fmt.Errorf("commit %s: already ended", f.path)
	}
	f.done = true
	if f.unnamed {
		return f.link()
	}
	if err := f.Close(); err != nil {
		return errors.Join(fmt.Errorf("close %s: %w", f.path, err), os.Remove(f.Name()))
	}
	if err := os.Rename(f.Name(), f.path); err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

// Abort closes and removes the temporary file. It reports nothing: there is nothing left to lose.
func (f *File) Abort() {
	if f.done {
		return
	}
	f.done = true
	_ = f.Close() // the content is not wanted any more
	if f.unnamed {
		return
	}
	_ = os.Remove(f.Name()) // a leftover is a dot file that ends in .part; the store removes those at its next start
}

// Write writes data as the whole content of path.
func Write(path string, data []byte, perm fs.FileMode) error {
	f, err := Create(path, perm)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.File.Write(data); err != nil {
		return err
	}
	return f.Commit()
}

// SyncDir makes the names in dir durable. File systems that cannot sync a directory (some network
// ones answer EINVAL) are left to their own ways.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if errors.Is(err, errUnsupportedSync) {
		err = nil
	}
	return errors.Join(err, d.Close())
}
