package tree

import (
	"fmt"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// missing makes a parent directory that is no member (yet), or was a whiteout until now.
func (u *unpacker) missing(path string, parent *openedDir) (int, error) {
	m := impliedDir()
	borrowed := false
	if !u.hides.at(path) {
		below, err := u.dirBelow(path)
		if err != nil {
			return -1, err
		}
		if below != nil {
			m, borrowed = below.Member, true
			u.res.UsedLowers = true
		}
	}
	_, name := layers.Split(path)
	fd, _, err := u.mkdir(parent.fd, name, path)
	if err != nil {
		return -1, err
	}
	u.hides.implied[path] = borrowed
	done, err := inode.Apply(inode.Handle{Dir: parent.fd, Name: name, FD: fd}, &m, parent.in, false)
	u.applied(path, done)
	if err != nil {
		inode.CloseFD(fd)
		return -1, err
	}
	return fd, nil
}

// dirBelow returns what the lower layers say of a directory, nil if they have none there.
func (u *unpacker) dirBelow(path string) (*inode.Meta, error) {
	s, err := u.lower()
	if err != nil {
		return nil, err
	}
	e, ok, done, err := s.find(path)
	defer func() { done() }()
	if err != nil || !ok || !e.isDir() {
		return nil, err
	}
	m, h, err := e.meta()
	if err != nil {
		return nil, err
	}
	h.Close()
	return m, nil
}

// settleImplied puts right what is known only when all members have been seen: directories that are there for the sake of
// whiteouts alone, below something that the layer deletes, go; those that took over what a lower layer says of them,
// but are hidden from it, do not.
func (u *unpacker) settleImplied() error {
	for _, path := range u.hides.impliedDeepestFirst() {
		if !u.hides.at(path) {
			continue
		}
		parent, name := layers.Split(path)
		dir, err := u.existing(parent)
		if err != nil {
			return err
		}
		if dir == nil {
			continue
		}
		if err := u.settleHidden(dir, name, path); err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
	}
	return nil
}

// settleHidden settles an implied directory that is hidden from the lower layers.
func (u *unpacker) settleHidden(dir *openedDir, name, path string) error {
	fd, err := inode.OpenDir(dir.fd, name)
	if isNotDir(err) {
		return nil // a later member has replaced it
	}
	if err != nil {
		return err
	}
	defer inode.CloseFD(fd)
	if err := removeWhiteouts(fd, true); err != nil {
		return err
	}
	names, err := inode.ReadNames(fd)
	if err != nil {
		return err
	}
	if len(names) > 0 {
		if !u.hides.implied[path] {
			return nil
		}
		m := impliedDir()
		_, err := inode.Apply(inode.Handle{Dir: dir.fd, Name: name, FD: fd}, &m, dir.in, true)
		return err
	}
	if err := unix.Unlinkat(dir.fd, name, unix.AT_REMOVEDIR); err != nil {
		return err
	}
	delete(u.hides.opaque, path)
	if u.hides.below(path) {
		return nil
	}
	return u.makeWhiteout(dir, name, path)
}
