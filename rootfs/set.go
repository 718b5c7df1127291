package rootfs

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// A place is a file that was made: its directory and its name there, and where it is open, the descriptor; else -1.
type place struct {
	dir  int
	name string
	file int
}

// set gives a file its owner, attributes, time and mode, in this order: a change of owner takes capabilities and the setuid bit away,
// a mode may forbid the rest.
func (s *sink) set(at place, m *layers.Member) error {
	mode := m.Mode & 0o7777
	given, err := s.chown(at, m)
	if err != nil {
		return fmt.Errorf("set owner: %w", err)
	}
	if !given {
		s.owners++
		mode &^= unix.S_ISUID | unix.S_ISGID
	}
	if err := s.setXattrs(at, m); err != nil {
		return err
	}
	t, err := unix.TimeToTimespec(m.ModTime)
	if err != nil {
		return fmt.Errorf("set time: %w", err)
	}
	if err := unix.UtimesNanoAt(at.dir, at.name, []unix.Timespec{t, t}, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set time: %w", err)
	}
	if m.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil
	}
	if at.file >= 0 {
		err = unix.Fchmod(at.file, mode)
	} else {
		err = unix.Fchmodat(at.dir, at.name, mode, 0)
	}
	if err != nil {
		return fmt.Errorf("set mode %#o: %w", mode, err)
	}
	return nil
}

// chown gives a file to its owner, and says whether it is the owner's.
func (s *sink) chown(at place, m *layers.Member) (bool, error) {
	if s.uid != 0 { // a group of the user's own would be half of it
		return m.UID == s.uid && m.GID == s.gid, nil
	}
	err := unix.Fchownat(at.dir, at.name, int(m.UID), int(m.GID), unix.AT_SYMLINK_NOFOLLOW)
	if errors.Is(err, unix.EPERM) || errors.Is(err, unix.EINVAL) { // root of a namespace that has no such id
		return false, nil
	}
	return err == nil, err
}

// setXattrs sets the extended attributes, and counts those that cannot be.
func (s *sink) setXattrs(at place, m *layers.Member) error {
	s.attrs += int64(len(m.Named) + len(m.Lost))
	for name, value := range m.Xattrs {
		var err error
		if at.file >= 0 {
			err = unix.Fsetxattr(at.file, name, []byte(value), 0)
		} else {
			err = unix.Lsetxattr(fmt.Sprintf("/proc/self/fd/%d/%s", at.dir, at.name), name, []byte(value), 0)
		}
		switch {
		case err == nil:
		case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.EINVAL),
			errors.Is(err, unix.E2BIG), errors.Is(err, unix.ERANGE):
			s.attrs++
		default:
			return fmt.Errorf("set xattr %s: %w", name, err)
		}
	}
	return nil
}
