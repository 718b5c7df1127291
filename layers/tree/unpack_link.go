package tree

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// hardLink makes path another name of target.
func (u *unpacker) hardLink(dir *openedDir, path []string, linkname string) error {
	target, err := layers.SplitName(linkname)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", linkname, err)
	}
	if len(target) == 0 {
		return fmt.Errorf("hard link to %q: %w: it is the root", linkname, layers.ErrMember)
	}
	err = u.link(dir, path, target)
	if errors.Is(err, unix.ENOENT) {
		err = u.copyLower(dir, path, target)
	}
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", linkname, err)
	}
	return nil
}

// link makes the link within this layer, or returns ENOENT if the target is not in it.
func (u *unpacker) link(dir *openedDir, path, target []string) error {
	from, err := u.openParent(target)
	if err != nil {
		return err
	}
	defer inode.CloseFD(from)
	old := target[len(target)-1]
	st, err := inode.StatAt(from, old)
	switch {
	case err != nil:
		return err
	case inode.IsWhiteout(&st):
		return fmt.Errorf("%w: the target is a whiteout", layers.ErrMember)
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return fmt.Errorf("%w: the target is a directory", layers.ErrMember)
	}
	name := path[len(path)-1]
	if there, err := inode.StatAt(dir.fd, name); err == nil && there.Dev == st.Dev && there.Ino == st.Ino {
		return nil
	}
	return u.make(dir.fd, name, func() error { return unix.Linkat(from, old, dir.fd, name, 0) })
}

// openParent opens the parent directory of a path in the layer.
func (u *unpacker) openParent(path []string) (int, error) {
	fd, err := inode.OpenDir(u.dirs.dirs[0].fd, ".")
	for i := 0; err == nil && i < len(path)-1; i++ {
		var next int
		next, err = inode.OpenDir(fd, path[i])
		inode.CloseFD(fd)
		fd = next
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			err = fmt.Errorf("%w: %q is not a directory", layers.ErrUnsafe, strings.Join(path[:i+1], "/"))
		}
	}
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// copyLower copies a lower layer's file for a hard link to it: across layers there are none.
func (u *unpacker) copyLower(dir *openedDir, path, target []string) error {
	s, err := u.lower()
	if err != nil {
		return err
	}
	e, ok, done, err := s.find(target)
	defer func() { done() }()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: there is no such file", layers.ErrMember)
	}
	if e.isDir() {
		return fmt.Errorf("%w: the target is a directory", layers.ErrMember)
	}
	m, h, err := e.meta()
	if err != nil {
		return err
	}
	defer h.Close()
	u.res.UsedLowers = true
	u.res.Bytes += m.Size
	return u.create(dir, path, m, io.NewSectionReader(inode.FdReaderAt(h.FD), 0, m.Size))
}
