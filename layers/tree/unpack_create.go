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

// create makes one entry that is no hard link. data is read for regular files.
func (u *unpacker) create(dir *openedDir, name string, m *layers.Member, data io.Reader) error {
	h := inode.Handle{Dir: dir.fd, Name: name, FD: -1}
	var err error
	stale := false
	switch m.Mode & unix.S_IFMT {
	case unix.S_IFDIR:
		delete(u.hides.implied, m.Path)
		h.FD, stale, err = u.mkdir(dir.fd, name, m.Path)
	case unix.S_IFREG:
		if h.FD, err = u.makeFile(dir.fd, name); err == nil {
			err = u.writeData(h.FD, data, m.Size)
		}
	case unix.S_IFLNK:
		err = u.make(dir.fd, name, func() error { return unix.Symlinkat(m.Target, dir.fd, name) })
	case unix.S_IFIFO:
		err = u.make(dir.fd, name, func() error { return unix.Mknodat(dir.fd, name, unix.S_IFIFO|0o600, 0) })
	default:
		h.FD, err = u.makeDevice(dir.fd, name, m)
	}
	if err == nil {
		var done inode.Applied
		done, err = inode.Apply(h, m, dir.in, stale)
		u.applied(m.Path, done)
	}
	if h.FD >= 0 {
		// A network file system may tell only now that it could not write.
		if cerr := unix.Close(h.FD); err == nil {
			err = cerr
		}
	}
	return err
}

// make calls mk, and calls it again after removing what was in its place: the last member of a name holds.
func (u *unpacker) make(dir int, name string, mk func() error) error {
	err := inode.Retry(mk)
	if errors.Is(err, unix.EEXIST) {
		if err := removeAt(u.ctx, dir, name); err != nil {
			return err
		}
		err = inode.Retry(mk)
	}
	return err
}

// makeFile makes an empty file and opens it for writing.
func (u *unpacker) makeFile(dir int, name string) (int, error) {
	fd := -1
	err := u.make(dir, name, func() (err error) {
		const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
		fd, err = unix.Openat(dir, name, flags, 0o600)
		return err
	})
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// makeDevice makes a device, or, where the kernel does not let us, the file that stands for it, which it returns open.
func (u *unpacker) makeDevice(dir int, name string, m *layers.Member) (int, error) {
	err := error(unix.EPERM)
	// The character device 0/0 must not be made: it would be a whiteout.
	if m.Mode&unix.S_IFMT == unix.S_IFBLK || m.Major != 0 || m.Minor != 0 {
		dev := int(unix.Mkdev(m.Major, m.Minor))
		err = u.make(dir, name, func() error { return unix.Mknodat(dir, name, m.Mode&unix.S_IFMT|0o600, dev) })
	}
	if !errors.Is(err, unix.EPERM) {
		return -1, err
	}
	fd, err := u.makeFile(dir, name)
	if err != nil {
		return -1, err
	}
	if err := (inode.Handle{FD: fd}).SetXattr(layers.XattrDevice, []byte(inode.StandIn(m))); err != nil {
		inode.CloseFD(fd)
		return -1, fmt.Errorf("record device %s: %w", inode.StandIn(m), inode.NoUserXattrs(err))
	}
	if !strings.HasPrefix(m.Path, "dev/") {
		u.res.Devices++
	}
	return fd, nil
}

// mkdir makes a directory and opens it. stale is true if it was there already.
func (u *unpacker) mkdir(dir int, name, path string) (fd int, stale bool, err error) {
	err = unix.Mkdirat(dir, name, 0o700)
	hides := false
	if errors.Is(err, unix.EEXIST) {
		st, serr := inode.StatAt(dir, name)
		if serr != nil {
			return -1, false, serr
		}
		stale = st.Mode&unix.S_IFMT == unix.S_IFDIR
		err = nil
		if !stale {
			// What was there, a whiteout or a file of this layer, has hidden what lower layers have.
			hides = true
			if err = unix.Unlinkat(dir, name, 0); err == nil {
				err = unix.Mkdirat(dir, name, 0o700)
			}
		}
	}
	if err != nil {
		return -1, false, err
	}
	if fd, err = inode.OpenDir(dir, name); err != nil {
		return -1, false, err
	}
	if hides {
		if err := u.makeOpaque(fd, path); err != nil {
			inode.CloseFD(fd)
			return -1, false, err
		}
	}
	return fd, stale, nil
}
