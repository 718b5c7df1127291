package tree

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// A dirStack holds the open directories from the root of a tree to the one that is being written to. Archives
// list a directory's members together, so that a descriptor is nearly always at hand, and memory and
// descriptors cost the depth of the tree only, whatever the archive.
//
// Writing to a directory changes its time, and a default access control list would pass on to what is made
// in it: both are held back while the directory is on the stack and set when it leaves it.
type dirStack struct {
	dirs []openedDir // the first is the root
}

// An openedDir is a directory of a [dirStack].
type openedDir struct {
	name  string
	fd    int
	mtime time.Time
	acl   []byte // the default access control list, nil if it has none
	in    inode.Inheritance
}

func (s *dirStack) init(root int) { s.dirs = []openedDir{{fd: root}} }

// setRoot changes the root's attributes with set. Only the root may be on the stack.
func (s *dirStack) setRoot(set func(inode.Handle) error) error {
	root := &s.dirs[0]
	if err := set(inode.RootHandle(root.fd)); err != nil {
		return err
	}
	return root.holdBack()
}

// holdBack reads what must be set again when the directory is left.
func (d *openedDir) holdBack() error {
	h := inode.RootHandle(d.fd)
	st, err := inode.StatAt(d.fd, ".")
	if err != nil {
		return err
	}
	d.mtime = time.Unix(st.Mtim.Unix())
	d.in = inode.Inheritance{}
	if st.Mode&unix.S_ISGID != 0 {
		m, err := inode.ReadMeta(h, &st)
		if err != nil {
			return err
		}
		d.in = m.PassesOn()
	}
	acl, ok, err := h.Xattr(layers.XattrDefaultACL)
	if err != nil || !ok {
		d.acl = nil
		return err
	}
	d.acl = acl
	return h.RemoveXattr(layers.XattrDefaultACL)
}

// setAgain sets what was held back.
func (d *openedDir) setAgain() error {
	h := inode.RootHandle(d.fd)
	if d.acl != nil {
		if err := h.SetXattr(layers.XattrDefaultACL, d.acl); err != nil {
			return fmt.Errorf("set the default access control list of directory %q: %w", d.name, err)
		}
	}
	if err := h.Chtimes(d.mtime); err != nil {
		return fmt.Errorf("set the time of directory %q: %w", d.name, err)
	}
	return nil
}

// leave leaves the directories beyond the first n of the stack.
func (s *dirStack) leave(n int) error {
	for len(s.dirs) > n {
		d := &s.dirs[len(s.dirs)-1]
		err := d.setAgain()
		inode.CloseFD(d.fd)
		s.dirs = s.dirs[:len(s.dirs)-1]
		if err != nil {
			return err
		}
	}
	return nil
}

// close closes the directories without setting anything: after an error.
func (s *dirStack) close() {
	for _, d := range s.dirs {
		inode.CloseFD(d.fd)
	}
	s.dirs = nil
}

// enter makes path the top of the stack and returns it; it is valid until the next call. missing makes the directory
// at a path, of which parent is the parent, and returns it open.
func (s *dirStack) enter(path string, missing func(path string, parent *openedDir) (int, error)) (*openedDir, error) {
	n, end := 0, 0 // path[:end] is the directory dirs[n]
	for end < len(path) && n+1 < len(s.dirs) {
		name, next := component(path, end)
		if s.dirs[n+1].name != name {
			break
		}
		n, end = n+1, next
	}
	if err := s.leave(n + 1); err != nil {
		return nil, err
	}
	for end < len(path) {
		var name string
		name, end = component(path, end)
		parent := &s.dirs[len(s.dirs)-1]
		fd, err := inode.OpenDir(parent.fd, name)
		switch {
		case errors.Is(err, unix.ENOENT):
			fd, err = missing(path[:end], parent)
		case errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR):
			fd, err = s.notDir(path[:end], parent, missing)
		}
		if err != nil {
			return nil, fmt.Errorf("parent directory %q: %w", path[:end], err)
		}
		d := openedDir{name: name, fd: fd}
		if err := d.holdBack(); err != nil {
			inode.CloseFD(fd)
			return nil, fmt.Errorf("parent directory %q: %w", path[:end], err)
		}
		s.dirs = append(s.dirs, d)
	}
	return &s.dirs[len(s.dirs)-1], nil
}

// component returns the name in a clean path that follows path[:end], and where it ends.
func component(path string, end int) (name string, next int) {
	if end > 0 {
		end++ // the slash
	}
	next = len(path)
	if i := strings.IndexByte(path[end:], '/'); i >= 0 {
		next = end + i
	}
	return path[end:next], next
}

// notDir says why a parent is no directory, or replaces it if it is a whiteout.
func (s *dirStack) notDir(path string, parent *openedDir, missing func(string, *openedDir) (int, error)) (int, error) {
	_, name := layers.Split(path)
	st, err := inode.StatAt(parent.fd, name)
	switch {
	case err != nil:
		return -1, err
	case inode.IsWhiteout(&st):
		return missing(path, parent)
	case st.Mode&unix.S_IFMT == unix.S_IFLNK:
		return -1, fmt.Errorf("%w: it is a symbolic link", layers.ErrUnsafe)
	}
	return -1, fmt.Errorf("%w: it is not a directory", layers.ErrUnsafe)
}
