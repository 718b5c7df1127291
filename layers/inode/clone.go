package inode

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// Clone gives dst the owner, mode, xattrs and time that src has on the disk, records included; st was read from src.
// What belongs to an overlay or marks the root of a layer stays behind, and so does what is the host's. A file's content and a
// directory's entries are there already: writing changes times and clears attributes. stale says that dst may have xattrs: it is not new, or
// its directory has passed some on.
func Clone(src, dst Handle, st *unix.Stat_t, stale bool) error {
	if err := unix.Fchownat(dst.Dir, dst.Name, int(st.Uid), int(st.Gid), unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return fmt.Errorf("set owner %d:%d: %w", st.Uid, st.Gid, err)
	}
	// After the owner: changing that clears the setuid and setgid bits.
	if st.Mode&unix.S_IFMT != unix.S_IFLNK {
		if err := dst.chmod(st.Mode & 0o7777); err != nil {
			return fmt.Errorf("set mode %#o: %w", st.Mode&0o7777, err)
		}
	}
	names, err := src.listXattrs()
	if err != nil {
		return err
	}
	if stale {
		if err := dst.removeOthers(names); err != nil {
			return err
		}
	}
	for _, name := range names {
		if err := cloneXattr(src, dst, name); err != nil {
			return err
		}
	}
	return dst.Chtimes(time.Unix(st.Mtim.Unix()))
}

// removeOthers removes the xattrs that are not among those names.
func (h Handle) removeOthers(names []string) error {
	all, err := h.listXattrs()
	if err != nil {
		return err
	}
	for _, name := range all {
		if slices.Contains(names, name) || !layers.IsOurs(name) && !layers.InLayers(name) {
			continue
		}
		if err := h.RemoveXattr(name); err != nil {
			return err
		}
	}
	return nil
}

func cloneXattr(src, dst Handle, name string) error {
	switch {
	case strings.HasPrefix(name, layers.XattrOverlay), name == layers.XattrImplied, name == layers.XattrCopied:
		return nil
	case !layers.IsOurs(name) && !layers.InLayers(name):
		return nil
	}
	value, ok, err := src.Xattr(name)
	if err != nil || !ok {
		return err
	}
	err = dst.SetXattr(name, value)
	if errors.Is(err, unix.EPERM) && strings.HasPrefix(name, "trusted.") {
		return nil // seen by the real root alone, who has it of another overlay
	}
	if err != nil {
		return fmt.Errorf("set xattr %s: %w", name, NoUserXattrs(err))
	}
	return nil
}

// MarkCopied says of a file that a lower layer has it. What cannot carry user xattrs has no such mark, as overlayfs has none for it.
func MarkCopied(h Handle) error {
	if !h.holdsUser() {
		return nil
	}
	if err := h.SetXattr(layers.XattrCopied, nil); err != nil {
		return fmt.Errorf("mark a copy: %w", NoUserXattrs(err))
	}
	return nil
}
