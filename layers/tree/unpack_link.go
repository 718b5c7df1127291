package tree

import (
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// hardLink makes name in dir another name of the member's target.
func (u *unpacker) hardLink(dir *openedDir, name string, m *layers.Member) error {
	err := u.link(dir, name, m.Target)
	if errors.Is(err, unix.ENOENT) {
		err = u.copyLower(dir, name, m)
	}
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", m.Target, err)
	}
	return nil
}

// link makes the link within this layer, or returns ENOENT if the target is not in it.
func (u *unpacker) link(dir *openedDir, name, target string) error {
	parent, old := layers.Split(target)
	from, err := u.openParent(parent)
	if err != nil {
		return err
	}
	defer inode.CloseFD(from)
	st, err := inode.StatAt(from, old)
	switch {
	case err != nil:
		return err
	case inode.IsWhiteout(&st):
		return fmt.Errorf("%w: the target is a whiteout", layers.ErrMember)
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return fmt.Errorf("%w: the target is a directory", layers.ErrMember)
	}
	if there, err := inode.StatAt(dir.fd, name); err == nil && there.Dev == st.Dev && there.Ino == st.Ino {
		return nil
	}
	return u.make(dir.fd, name, func() error { return unix.Linkat(from, old, dir.fd, name, 0) })
}

// openParent opens a directory of the layer.
func (u *unpacker) openParent(path string) (int, error) {
	fd, err := inode.OpenDir(u.dirs.dirs[0].fd, ".")
	for end := 0; err == nil && end < len(path); {
		var name string
		name, end = component(path, end)
		var next int
		next, err = inode.OpenDir(fd, name)
		inode.CloseFD(fd)
		fd = next
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			err = fmt.Errorf("%w: %q is not a directory", layers.ErrUnsafe, path[:end])
		}
	}
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// copyLower copies a lower layer's file for a hard link to it: across layers there are none.
func (u *unpacker) copyLower(dir *openedDir, name string, link *layers.Member) error {
	if u.hides.at(link.Target) {
		return fmt.Errorf("%w: the layer itself hides the target", layers.ErrMember)
	}
	s, err := u.lower()
	if err != nil {
		return err
	}
	e, ok, done, err := s.find(link.Target)
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
	m.Path = link.Path
	return u.create(dir, name, &m.Member, io.NewSectionReader(inode.FdReaderAt(h.FD), 0, m.Size))
}
