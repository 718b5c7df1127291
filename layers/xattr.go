package layers

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// xtoo's own xattrs in a layer directory. They never reach a tar, and are not taken from one.
const (
	// xattrDevice on an empty regular file says that it stands for a device: "c 5 1" or "b 7 0".
	// No user namespace may make devices.
	xattrDevice = "user.xtoo.device"
	// xattrKept before the name of an xattr that the kernel refused.
	xattrKept = "user.xtoo.xattr."
	// xattrImplied on the root of a layer directory says that the layer does not have the root itself, so that
	// its mode, owner, time and xattrs mean nothing and those of the next lower layer hold.
	xattrImplied = "user.xtoo.implied"
)

// overlayfs's own xattrs, of a mount with the option userxattr.
const (
	xattrOverlay  = "user.overlay."
	xattrOpaque   = xattrOverlay + "opaque"
	xattrOrigin   = xattrOverlay + "origin"
	xattrRedirect = xattrOverlay + "redirect"
	xattrMetacopy = xattrOverlay + "metacopy"
)

const (
	xattrACL        = "system.posix_acl_access"
	xattrDefaultACL = "system.posix_acl_default"
	xattrCapability = "security.capability"
	// maxXattrName and maxXattrValue are XATTR_NAME_MAX and XATTR_SIZE_MAX of linux/limits.h.
	maxXattrName  = 255
	maxXattrValue = 65536
)

// labels are written by the host's security modules to every file they see and mean nothing on another
// host. They are neither set nor read; those from a tar are kept beside the file.
var labels = []string{"security.selinux", "security.apparmor", "security.ima", "security.evm", "security.SMACK64"}

func isLabel(name string) bool {
	return slices.ContainsFunc(labels, func(l string) bool { return strings.HasPrefix(name, l) })
}

// isOurs reports whether an xattr is part of the format of a layer directory and not of the file.
func isOurs(name string) bool {
	return name == xattrOwner || name == xattrDevice || name == xattrImplied || strings.HasPrefix(name, xattrKept) ||
		strings.HasPrefix(name, xattrOverlay) || strings.HasPrefix(name, "trusted.overlay.")
}

// inLayers reports whether an xattr found on disk belongs in a layer.
func inLayers(name string) bool {
	switch {
	case isOurs(name) || isLabel(name):
		return false
	case name == xattrACL || name == xattrDefaultACL:
		return true
	}
	// Others (system.nfs4_acl, btrfs.compression) are the host file system's own.
	space, _, _ := strings.Cut(name, ".")
	return space == "user" || space == "trusted" || space == "security"
}

// listXattrs returns the names of all xattrs of h, none where the file system has none at all.
func (h handle) listXattrs() ([]string, error) {
	var stack [1024]byte
	buf := stack[:]
	for {
		var n int
		var err error
		if h.fd >= 0 {
			n, err = unix.Flistxattr(h.fd, buf)
		} else {
			n, err = unix.Llistxattr(h.path(), buf)
		}
		switch {
		case errors.Is(err, unix.ERANGE) && len(buf) <= maxXattrValue:
			buf = make([]byte, 2*maxXattrValue) // XATTR_LIST_MAX is 65536
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

// xattr returns the value of an xattr; ok is false if h does not have it.
func (h handle) xattr(name string) (value []byte, ok bool, err error) {
	var stack [256]byte
	buf := stack[:]
	for {
		var n int
		var err error
		if h.fd >= 0 {
			n, err = unix.Fgetxattr(h.fd, name, buf)
		} else {
			n, err = unix.Lgetxattr(h.path(), name, buf)
		}
		switch {
		case errors.Is(err, unix.ERANGE) && len(buf) < maxXattrValue:
			buf = make([]byte, maxXattrValue)
		case errors.Is(err, unix.ENODATA) || errors.Is(err, unix.EOPNOTSUPP):
			return nil, false, nil
		case err != nil:
			return nil, false, fmt.Errorf("read xattr %s: %w", name, err)
		default:
			return append([]byte(nil), buf[:n]...), true, nil
		}
	}
}

func (h handle) setXattr(name string, value []byte) error {
	if h.fd >= 0 {
		return unix.Fsetxattr(h.fd, name, value, 0)
	}
	return unix.Lsetxattr(h.path(), name, value, 0)
}

// removeXattr removes an xattr. It is no error that there is none.
func (h handle) removeXattr(name string) error {
	var err error
	if h.fd >= 0 {
		err = unix.Fremovexattr(h.fd, name)
	} else {
		err = unix.Lremovexattr(h.path(), name)
	}
	if err != nil && !errors.Is(err, unix.ENODATA) && !errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("remove xattr %s: %w", name, err)
	}
	return nil
}

// noUserXattrs explains an error for a record that xtoo cannot do without.
func noUserXattrs(err error) error {
	if errors.Is(err, unix.EOPNOTSUPP) {
		return fmt.Errorf("%w: the file system has no user xattrs, which layer directories need: "+
			"set XTOO_SCRATCH to a directory on ext4, xfs, btrfs or (Linux 6.6 or newer) tmpfs", err)
	}
	return err
}

// setXattrs gives h the xattrs of a layer's entry. Those that the kernel refuses are kept under another name
// if the file can carry that; the names of those that it cannot hold at all are returned.
func setXattrs(h handle, xattrs map[string]string) (lost []string, err error) {
	// Sorted, so that it is always the same ones that fit.
	for _, name := range slices.Sorted(maps.Keys(xattrs)) {
		value := xattrs[name]
		if isOurs(name) || name == "" {
			lost = append(lost, name)
			continue
		}
		err := error(unix.EPERM)
		if !isLabel(name) {
			err = h.setXattr(name, []byte(value))
		}
		if cannotHold(h, err) {
			kept := xattrKept + name
			if h.fd < 0 || len(kept) > maxXattrName || h.setXattr(kept, []byte(value)) != nil {
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

// cannotHold reports whether an xattr was refused for what it is, and not because of the state of the disk.
func cannotHold(h handle, err error) bool {
	switch {
	case err == nil:
		return false
	case errors.Is(err, unix.ENOSPC):
		// ext4 says so too of an xattr that is larger than a block.
		var st unix.Statfs_t
		const enough = 1 << 20
		return unix.Fstatfs(h.dir, &st) == nil && st.Bavail > enough/uint64(max(st.Bsize, 512))
	}
	for _, e := range []error{unix.EPERM, unix.EACCES, unix.EINVAL, unix.EOPNOTSUPP, unix.E2BIG, unix.ERANGE, unix.ENAMETOOLONG, unix.EOVERFLOW} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}
