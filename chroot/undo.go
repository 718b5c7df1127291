package chroot

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// A step is something that was done to furnish a guest: a mount, or a file or directory that was made for one, or lent.
type step struct {
	path  string
	mount bool
	lent  bool // a file with content, which a script may write to and replace
	is    unix.Stat_t
	attrs string // the names of its extended attributes, as listxattr(2) gives them
}

// remember notes what was made, as it is.
func (g *guest) remember(p string) error {
	s := step{path: p}
	var err error
	if s.is, s.attrs, err = looks(p); err != nil {
		return err
	}
	g.done = append(g.done, s)
	return nil
}

// looks says what a file or directory looks like from outside.
func looks(p string) (is unix.Stat_t, attrs string, err error) {
	if err := unix.Lstat(p, &is); err != nil {
		return is, "", &os.PathError{Op: "stat", Path: p, Err: err}
	}
	names := make([]byte, 1024)
	switch n, err := unix.Llistxattr(p, names); {
	case err == nil:
		attrs = string(names[:n])
	case errors.Is(err, unix.ERANGE): // more than anything has that was only just made
		attrs = "many"
	case !errors.Is(err, unix.EOPNOTSUPP):
		return is, "", &os.PathError{Op: "list attributes", Path: p, Err: err}
	}
	return is, attrs, nil
}

// touched reports whether a script has made it its own: then it stays.
func (s *step) touched() (bool, error) {
	is, attrs, err := looks(s.path)
	if err != nil {
		return false, err
	}
	if is.Mode != s.is.Mode || is.Uid != s.is.Uid || is.Gid != s.is.Gid || attrs != s.attrs {
		return true, nil
	}
	if is.Mode&unix.S_IFMT == unix.S_IFDIR {
		return false, nil // with something in it, it cannot be removed
	}
	return is.Size != s.is.Size || s.lent && (is.Ino != s.is.Ino || is.Mtim != s.is.Mtim), nil
}

// clear removes what was made, unless a script has made it its own or has put something into it behind the mount. Step by step
// back, so that each is found where it was made: also in a volume, on the host. For that it unmounts what is in the way; the
// other mounts go with the namespace, which is cheaper: the kernel waits after each. It is called in the guest when all its
// processes have ended.
func (g *guest) clear() error {
	for i, s := range slices.Backward(g.done) {
		var err error
		if !s.mount {
			err = s.remove()
		} else if slices.ContainsFunc(g.done[:i], func(m step) bool { return !m.mount && (isBelow(m.path, s.path) || isBelow(s.path, m.path)) }) {
			err = unmount(s.path)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remove removes what was made, if it still is what it was.
func (s *step) remove() error {
	touched, err := s.touched()
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, unix.ENOTDIR) || touched {
		return nil
	}
	if err != nil {
		return err
	}
	err = keepTimes(s.path, func() error { return os.Remove(s.path) })
	if err != nil && !errors.Is(err, unix.ENOTEMPTY) {
		return fmt.Errorf("remove a mount point: %w", err)
	}
	return nil
}

// isBelow reports whether p is dir, or below it.
func isBelow(p, dir string) bool { return p == dir || strings.HasPrefix(p, dir+"/") }

// unmount takes the topmost mount off a mount point, with all that is below it.
func unmount(target string) error {
	for {
		err := unix.Unmount(target, unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
		switch {
		case errors.Is(err, unix.EINTR):
		case err == nil, errors.Is(err, unix.EINVAL), errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENOTDIR):
			return nil // it went with one above it
		default:
			return &os.PathError{Op: "unmount", Path: target, Err: err}
		}
	}
}
