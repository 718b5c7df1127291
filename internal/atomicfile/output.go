package atomicfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/internal/filelock"
)

// CreateOutput is [Create] for a file in a directory of the user's, in which a process that is killed must leave
// nothing: the file has no name until it is complete, where the file system has such files (open(2), O_TMPFILE); else
// the next CreateOutput of the same path removes what a dead process left.
func CreateOutput(path string, perm fs.FileMode) (*File, error) {
	if err := removeDead(path); err != nil {
		return nil, err
	}
	dir := filepath.Dir(path)
	fd, err := unix.Open(dir, unix.O_TMPFILE|unix.O_RDWR|unix.O_CLOEXEC, uint32(perm.Perm()))
	if err == nil {
		f := &File{File: os.NewFile(uintptr(fd), path), path: path, unnamed: true}
		if linkable(f.File) {
			return f, nil
		}
		f.Abort()
	}
	return createHeld(path, perm)
}

// createHeld creates a file that has a name and is locked. Between the two another process may take it for a dead
// one's and remove it: then it is made again.
func createHeld(path string, perm fs.FileMode) (*File, error) {
	for {
		f, err := Create(path, perm)
		if err != nil {
			return nil, err
		}
		err = hold(f.File)
		if err == nil {
			_, err = os.Lstat(f.Name())
		}
		if err == nil {
			return f, nil
		}
		f.Abort()
		if !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
}

// linkable says whether /proc is there to give an unnamed file its name.
func linkable(f *os.File) bool {
	_, err := os.Stat(procName(f))
	return err == nil
}

func procName(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }

// hold says with a lock that somebody alive is writing a file. Where there are no locks nobody removes it.
func hold(f *os.File) error {
	if err := filelock.Hold(f); errors.Is(err, filelock.ErrLocked) {
		return err
	}
	return nil
}

// link gives an unnamed file its final name and closes it. linkat(2) replaces nothing: where a file is there, it gets
// a temporary name first, which is renamed.
func (f *File) link() error {
	to := func(name string) error {
		err := unix.Linkat(unix.AT_FDCWD, procName(f.File), unix.AT_FDCWD, name, unix.AT_SYMLINK_FOLLOW)
		if err != nil {
			return &os.LinkError{Op: "link", Old: f.Name(), New: name, Err: err}
		}
		return nil
	}
	err := to(f.path)
	if errors.Is(err, fs.ErrExist) {
		err = f.replace(to)
	}
	return errors.Join(err, f.Close())
}

func (f *File) replace(to func(string) error) error {
	if err := hold(f.File); err != nil {
		return err
	}
	name, err := temporary(f.path, to)
	if err != nil {
		return err
	}
	if err := os.Rename(name, f.path); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// removeDead removes the temporary files of a path that nobody writes any more. What cannot be looked at is left.
func removeDead(path string) error {
	dir, base := filepath.Split(path)
	entries, err := os.ReadDir(filepath.Clean(dir))
	if errors.Is(err, fs.ErrPermission) {
		return nil // one may be allowed to write to a directory that one cannot list
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		random, found := strings.CutPrefix(e.Name(), prefix(base))
		random, ends := strings.CutSuffix(random, suffix)
		if !found || !ends || !e.Type().IsRegular() || !isRandomName(random) {
			continue
		}
		if name := filepath.Join(dir, e.Name()); isDead(name) {
			if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return fmt.Errorf("remove what a killed build left: %w", err)
			}
		}
	}
	return nil
}

// isDead says whether nobody holds the lock of a file.
func isDead(name string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close() // read only; it lets go of the lock, too
	return filelock.Hold(f) == nil
}
