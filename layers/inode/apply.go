package inode

import (
	"fmt"
	"slices"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// Applied says what [Apply] could not do.
type Applied struct {
	Lost    []string // what could not be kept
	Outside bool     // the owner is outside of the map: it stands in a record, or is lost
	Lists   bool     // it has a default access control list
	Passes  bool     // it is a directory that passes on a group which only a record tells
}

// Apply gives a file its owner, mode, xattrs and time. in is what its directory passes on. stale says that the
// file is not new, so that xattrs it has and m does not are removed.
func Apply(h Handle, m *layers.Member, in Inheritance, stale bool) (Applied, error) {
	var done Applied
	outside, kept, err := setOwner(h, m.UID, m.GID, in, stale)
	if err != nil {
		return done, err
	}
	done.Passes = outside && m.Mode&(unix.S_IFMT|unix.S_ISGID) == unix.S_IFDIR|unix.S_ISGID
	if done.Outside = outside; !kept {
		done.Lost = append(done.Lost, fmt.Sprintf("owner %d:%d", m.UID, m.GID))
	}
	// After the owner: changing that clears the setuid and setgid bits.
	if m.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := setMode(h, m.Mode, stale); err != nil {
			return done, fmt.Errorf("set mode %#o: %w", m.Mode&0o7777, err)
		}
	}
	if stale {
		if err := clearXattrs(h); err != nil {
			return done, err
		}
	}
	if len(m.Xattrs) > 0 {
		_, done.Lists = m.Xattrs[layers.XattrDefaultACL]
		gone, err := SetXattrs(h, m.Xattrs)
		if err != nil {
			return done, err
		}
		for _, name := range gone {
			done.Lost = append(done.Lost, "xattr "+name)
		}
	}
	if err := h.Chtimes(m.ModTime); err != nil {
		return done, fmt.Errorf("set time: %w", err)
	}
	return done, nil
}

// clearXattrs removes the xattrs of a layer's entry, with the records of those that were refused. The records of owner
// and mode stay, being [setOwner]'s and [setMode]'s, and so does what says that a directory is opaque.
func clearXattrs(h Handle) error {
	names, err := h.listXattrs()
	if err != nil {
		return err
	}
	for _, name := range names {
		if slices.Contains([]string{layers.XattrOwner, layers.XattrOpaque, layers.XattrDevice, layers.XattrMode}, name) || !(layers.IsOurs(name) || layers.InLayers(name)) {
			continue
		}
		if name == layers.XattrCapability && !h.holdsUser() {
			continue // the owner's record: any other the change of owner has taken away
		}
		if err := h.RemoveXattr(name); err != nil {
			return err
		}
	}
	return nil
}
