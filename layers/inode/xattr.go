package inode

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// listXattrs returns the names of all xattrs of h, none where the file system has none at all.
func (h Handle) listXattrs() ([]string, error) {
	var stack [1024]byte
	buf := stack[:]
	for {
		var n int
		var err error
		switch {
		case h.FD >= 0:
			n, err = unix.Flistxattr(h.FD, buf)
		case h.Name == "":
			n, err = unix.Listxattr(h.path(), buf)
		default:
			n, err = unix.Llistxattr(h.path(), buf)
		}
		switch {
		case errors.Is(err, unix.ERANGE) && len(buf) <= layers.MaxXattrValue:
			buf = make([]byte, 2*layers.MaxXattrValue) // XATTR_LIST_MAX is 65536
		case errors.Is(err, unix.EOPNOTSUPP):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("list xattrs: %w", err)
		case n == 0:
			return nil, nil
		default:
			return strings.Split(strings.TrimSuffix(string(buf[:n]), "\x00"), "\x00"), nil
		}
	}
}

// Xattr returns the value of an xattr; ok is false if h does not have it.
func (h Handle) Xattr(name string) (value []byte, ok bool, err error) {
	var stack [256]byte
	buf := stack[:]
	for {
		var n int
		var err error
		switch {
		case h.FD >= 0:
			n, err = unix.Fgetxattr(h.FD, name, buf)
		case h.Name == "":
			n, err = unix.Getxattr(h.path(), name, buf)
		default:
			n, err = unix.Lgetxattr(h.path(), name, buf)
		}
		switch {
		case errors.Is(err, unix.ERANGE) && len(buf) < layers.MaxXattrValue:
			buf = make([]byte, layers.MaxXattrValue)
		case errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP):
			return nil, false, nil
		case err != nil:
			return nil, false, fmt.Errorf("read xattr %s: %w", name, err)
		default:
			return append([]byte(nil), buf[:n]...), true, nil
		}
	}
}

// SetXattr sets an xattr, whether or not the file has it. Errors are the kernel's.
func (h Handle) SetXattr(name string, value []byte) error { return h.setXattr(name, value, 0) }

// setXattr sets an xattr, with flags of setxattr(2).
func (h Handle) setXattr(name string, value []byte, flags int) error {
	switch {
	case h.FD >= 0:
		return unix.Fsetxattr(h.FD, name, value, flags)
	case h.Name == "":
		return unix.Setxattr(h.path(), name, value, flags)
	}
	return unix.Lsetxattr(h.path(), name, value, flags)
}

// RemoveXattr removes an xattr. It is no error that there is none.
func (h Handle) RemoveXattr(name string) error {
	var err error
	switch {
	case h.FD >= 0:
		err = unix.Fremovexattr(h.FD, name)
	case h.Name == "":
		err = unix.Removexattr(h.path(), name)
	default:
		err = unix.Lremovexattr(h.path(), name)
	}
	if err != nil && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("remove xattr %s: %w", name, err)
	}
	return nil
}

// ErrNoUserXattrs says that no layer directory can be on a file system.
var ErrNoUserXattrs = errors.New("the file system has no user xattrs, which layer directories need")

// NoUserXattrs explains an error for a record that xtoo cannot do without.
func NoUserXattrs(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: %w", err, ErrNoUserXattrs)
	}
	return err
}

// SetXattrs gives h the xattrs of a layer's entry. Those that the kernel refuses are kept under another name
// if the file can carry that; the names of those that it cannot hold at all are returned.
func SetXattrs(h Handle, xattrs map[string]string) (lost []string, err error) {
	// Sorted, so that it is always the same ones that fit.
	for _, name := range slices.Sorted(maps.Keys(xattrs)) {
		value := xattrs[name]
		if layers.IsOurs(name) || name == "" {
			lost = append(lost, name)
			continue
		}
		err := error(unix.EPERM)
		if free, rerr := h.free(name, value); rerr != nil {
			return nil, rerr
		} else if free && !layers.IsLabel(name) {
			err = h.SetXattr(name, []byte(value))
		}
		if cannotHold(h, err) {
			kept := layers.XattrKept + name
			if !h.holdsUser() || len(kept) > layers.MaxXattrName || h.SetXattr(kept, []byte(value)) != nil {
				lost = append(lost, name)
			}
			err = nil
		}
		if err != nil {
			return nil, fmt.Errorf("set xattr %q: %w", name, err)
		}
	}
	return lost, nil
}

// free reports whether an xattr can be set without writing over a record, or being taken for one.
func (h Handle) free(name, value string) (bool, error) {
	if name != layers.XattrCapability || h.holdsUser() {
		return true, nil
	}
	if _, is := parseCap(value); is {
		return false, nil
	}
	_, is, err := h.recorded()
	return !is, err
}

// cannotHold reports whether an xattr was refused for what it is, and not because of the state of the disk.
func cannotHold(h Handle, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, unix.ENOSPC):
		// ext4 says so too of an xattr that is larger than a block.
		var st unix.Statfs_t
		const enough = 1 << 20
		return unix.Fstatfs(h.Dir, &st) == nil && st.Bavail > enough/uint64(max(st.Bsize, 512))
	}
	for _, e := range []error{unix.EPERM, unix.EACCES, unix.EINVAL, unix.EOPNOTSUPP, unix.E2BIG, unix.ERANGE, unix.ENAMETOOLONG, unix.EOVERFLOW} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
