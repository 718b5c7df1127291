package inode

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// Whiteouts say what stands for a whiteout in a layer directory.
type Whiteouts int

// The two forms. What no layer can have, a socket, is made by everybody: overlayfs itself has no character device 0/0 in what it shows,
// and Linux before 5.8 none in user namespaces.
const (
	DeviceWhiteouts Whiteouts = iota // a character device 0/0: what overlayfs mounts
	SocketWhiteouts                  // a socket, where layer directories are only copied from
)

// IsWhiteout reports whether a file of a layer directory is a whiteout, in either form. In what a script has left a socket is its own.
func IsWhiteout(st *unix.Stat_t) bool { return IsDeviceWhiteout(st) || IsSocket(st) }

// IsDeviceWhiteout reports whether a file is what overlayfs takes for a whiteout.
func IsDeviceWhiteout(st *unix.Stat_t) bool {
	return st.Mode&unix.S_IFMT == unix.S_IFCHR && st.Rdev == 0
}

// IsSocket reports whether a file is a socket.
func IsSocket(st *unix.Stat_t) bool { return st.Mode&unix.S_IFMT == unix.S_IFSOCK }

// MakeWhiteout makes a whiteout in dir, where there is nothing of that name.
func MakeWhiteout(dir int, name string, form Whiteouts) error {
	kind := uint32(unix.S_IFCHR)
	if form == SocketWhiteouts {
		kind = unix.S_IFSOCK
	}
	err := unix.Mknodat(dir, name, kind, 0)
	if errors.Is(err, unix.EPERM) {
		return fmt.Errorf("make the whiteout of %s: %w: the kernel or a security module does not let a user "+
			"namespace make the character device 0/0 (Linux does since 5.8)", name, err)
	}
	if err != nil {
		return fmt.Errorf("make the whiteout of %s: %w", name, err)
	}
	return nil
}

// IsOpaque reports whether a directory of a layer hides the lower ones of its path.
func IsOpaque(dir int) (bool, error) {
	value, ok, err := Handle{FD: dir}.Xattr(layers.XattrOpaque)
	return ok && string(value) == "y", err
}

// HidesAll is [IsOpaque] for a directory's path, for those who have it open for its name only.
func HidesAll(path string) (bool, error) {
	value := make([]byte, 1)
	n, err := unix.Getxattr(path, layers.XattrOpaque, value)
	switch {
	case errors.Is(err, unix.ENODATA), errors.Is(err, unix.EOPNOTSUPP), errors.Is(err, unix.ERANGE):
		return false, nil
	case err != nil:
		return false, err
	}
	return string(value[:n]) == "y", nil
}

// MakeOpaque makes a directory hide the lower ones of its path.
func MakeOpaque(dir int) error {
	if err := (Handle{FD: dir}).SetXattr(layers.XattrOpaque, []byte("y")); err != nil {
		return fmt.Errorf("make the directory opaque: %w", NoUserXattrs(err))
	}
	return nil
}
