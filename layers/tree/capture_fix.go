package tree

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// A place is what a directory of the upper one means to what is in it.
type place struct {
	low    *mergedDir        // the merged lower directory of its path, nil if there is none
	hidden bool              // that does not show through: this directory, or one that leads to it, is opaque
	in     inode.Inheritance // what it passes on
}

// fixDir brings what is in a directory of the upper one into its canonical form and returns how many names are
// left in it. The directory's own attributes are the caller's to settle.
func (c *capturer) fixDir(dir int, path string, at place) (left int, err error) {
	names, err := inode.ReadNames(dir)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := c.ctx.Err(); err != nil {
			return 0, err
		}
		kept, err := c.fixChild(dir, name, joinPath(path, name), at)
		if err != nil {
			return 0, err
		}
		if kept {
			left++
		}
	}
	if !at.hidden {
		return left, nil
	}
	// What an opaque directory hid is said one by one. The directory itself stops being opaque.
	below, err := at.low.names()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range below {
		if _, there := slices.BinarySearch(names, name); there {
			continue // equal, or in its place
		}
		if err := inode.MakeWhiteout(dir, name, whiteouts(c.copied)); err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		left++
	}
	return left, nil
}

// fixChild brings one name into its canonical form and reports whether it is still there.
func (c *capturer) fixChild(dir int, name, path string, at place) (kept bool, err error) {
	st, err := inode.StatAt(dir, name)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	was, had, err := at.low.lookup(name)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case inode.IsDeviceWhiteout(&st), c.copied && inode.IsSocket(&st):
		if !had {
			err = unix.Unlinkat(dir, name, 0)
		}
		return had, wrapPath(path, err)
	case inode.IsSocket(&st):
		c.skip(path, "socket")
		if err = unix.Unlinkat(dir, name, 0); err == nil && had {
			err = inode.MakeWhiteout(dir, name, whiteouts(c.copied))
		}
		return had, wrapPath(path, err)
	case strings.HasPrefix(name, layers.WhiteoutPrefix):
		return false, fmt.Errorf("%s: %w", path, errWhiteoutName)
	}
	h, err := inode.Open(dir, name, &st)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	defer h.Close()
	m, err := inode.ReadMeta(h, &st)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	for _, x := range m.Disk.Extra {
		if c.copied {
			break // whoever wrote it, it was no overlay
		}
		if x == layers.XattrRedirect || x == layers.XattrMetacopy {
			return false, fmt.Errorf("%s: %w", path, errOverlay)
		}
	}
	m.Inherit(at.in)
	if m.IsDir() {
		return c.fixSubdir(h, path, m, at, was, had)
	}
	same := false
	if had {
		if same, err = c.sameFile(m, h, &was); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
	}
	if g := c.groups[inodeID{st.Dev, st.Ino}]; g != nil {
		g.compared(same, &was)
		same = false
	}
	if same {
		c.res.Pruned++
		return false, wrapPath(path, unix.Unlinkat(dir, name, 0))
	}
	return true, c.settle(h, path, m, at.in)
}

func (c *capturer) fixSubdir(h inode.Handle, path string, m *inode.Meta, at place, was mergedEntry, had bool) (bool, error) {
	var below *mergedDir
	same := false
	if had && was.isDir() {
		lm, lh, err := was.meta()
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		lh.Close()
		same = inode.SameMeta(m, lm) && c.sameTime(m, lm)
		if below, err = at.low.child(was); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		defer below.close()
	}
	left, err := c.fixDir(h.FD, path, place{below, at.hidden || m.Disk.Opaque && !c.copied, m.PassesOn()})
	if err != nil {
		return false, err
	}
	if left == 0 && same {
		c.res.Pruned++
		return false, wrapPath(path, unix.Unlinkat(h.Dir, h.Name, unix.AT_REMOVEDIR))
	}
	return true, c.settle(h, path, m, at.in)
}

// sameFile reports whether a file of the upper directory is the lower one.
func (c *capturer) sameFile(m *inode.Meta, h inode.Handle, was *mergedEntry) (bool, error) {
	if was.isDir() {
		return false, nil
	}
	lm, lh, err := was.meta()
	if err != nil {
		return false, err
	}
	defer lh.Close()
	if !inode.SameMeta(m, lm) || !c.sameTime(m, lm) {
		return false, nil
	}
	if !m.IsRegular() {
		return true, nil
	}
	return inode.SameContent(c.ctx, h.FD, lh.FD, &c.bufs)
}

// settle gives what stays in the upper directory the form that Unpack would give it.
func (c *capturer) settle(h inode.Handle, path string, m *inode.Meta, in inode.Inheritance) error {
	if err := removeExtra(h, m); err != nil {
		return wrapPath(path, err)
	}
	was := m.ModTime
	m.ModTime = c.clamp(m.ModTime)
	// A record may be due (an inherited group, or one that would look inherited, a mode), or have become superfluous.
	if m.Disk.HasRecord || m.NeedsRecord(in) || m.NeedsMode() {
		// Again with everything: a change of owner clears the setuid bit and the capabilities.
		onDisk := m.Member
		if m.IsDevice() && m.Disk.Stat.Mode&unix.S_IFMT == unix.S_IFREG {
			onDisk.Mode = m.Mode&^unix.S_IFMT | unix.S_IFREG
		}
		_, err := inode.Apply(h, &onDisk, in, true)
		return wrapPath(path, err)
	}
	// Whatever was done in a directory has changed its time.
	if m.IsDir() || !was.Equal(m.ModTime) {
		return wrapPath(path, h.Chtimes(m.ModTime))
	}
	return nil
}

// removeExtra removes the xattrs that a file unpacked from the layer would not have.
func removeExtra(h inode.Handle, m *inode.Meta) error {
	for _, name := range m.Disk.Extra {
		if err := h.RemoveXattr(name); err != nil {
			return err
		}
	}
	return nil
}

func wrapPath(path string, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

func joinPath(dir, name string) string {
	if dir == "" {
		return name
	}
	return dir + "/" + name
}
