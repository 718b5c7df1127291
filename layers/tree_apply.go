package layers

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"
)

// apply gives a file its owner, mode, xattrs and time. in is what its directory passes on. stale says that the
// file is not new, so that xattrs it has and m does not are removed. It returns what could not be kept.
func apply(h handle, m *meta, in inheritance, stale bool) (lost []string, err error) {
	kept, err := setOwner(h, m.uid, m.gid, in, stale)
	if err != nil {
		return nil, err
	}
	if !kept {
		lost = append(lost, fmt.Sprintf("owner %d:%d", m.uid, m.gid))
	}
	// After the owner: changing that clears the setuid and setgid bits.
	if m.mode&unix.S_IFMT != unix.S_IFLNK {
		if err := h.chmod(m.mode & 0o7777); err != nil {
			return nil, fmt.Errorf("set mode %#o: %w", m.mode&0o7777, err)
		}
	}
	if stale {
		if err := clearXattrs(h); err != nil {
			return nil, err
		}
	}
	if len(m.xattrs) > 0 {
		gone, err := setXattrs(h, m.xattrs)
		if err != nil {
			return nil, err
		}
		for _, name := range gone {
			lost = append(lost, "xattr "+name)
		}
	}
	if err := h.chtimes(m.mtime); err != nil {
		return nil, fmt.Errorf("set time: %w", err)
	}
	return lost, nil
}

// clearXattrs removes the xattrs of a layer's entry, with the records of those that were refused. The owner's
// record stays, being [setOwner]'s, and so does what says that a directory is opaque.
func clearXattrs(h handle) error {
	names, err := h.listXattrs()
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.Contains([]string{xattrOwner, xattrOpaque, xattrDevice}, name) || !(isOurs(name) || inLayers(name)) {
			continue
		}
		if err := h.removeXattr(name); err != nil {
			return err
		}
	}
	return nil
}
