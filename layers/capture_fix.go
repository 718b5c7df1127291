package layers

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sys/unix"
)

// fixDir brings what is in a directory of the upper one into its canonical form and returns how many names are
// left in it. low is the merged lower directory of that path, nil if there is none; hidden says that it does not
// show through, as the directory or one that leads to it is opaque; in is what the directory passes on.
// The directory's own attributes are the caller's to settle.
func (c *capturer) fixDir(dir int, path string, low *mergedDir, hidden bool, in inheritance) (left int, err error) {
	names, err := readNames(dir)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	slices.Sort(names)
	for _, name := range names {
		if err := c.ctx.Err(); err != nil {
			return 0, err
		}
		kept, err := c.fixChild(dir, name, joinPath(path, name), low, hidden, in)
		if err != nil {
			return 0, err
		}
		if kept {
			left++
		}
	}
	if !hidden {
		return left, nil
	}
	// What an opaque directory hid is said one by one. The directory itself stops being opaque.
	below, err := low.names()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", path, err)
	}
	for _, name := range below {
		if _, there := slices.BinarySearch(names, name); there {
			continue // equal, or in its place
		}
		if err := makeWhiteout(dir, name); err != nil {
			return 0, fmt.Errorf("%s: %w", path, err)
		}
		left++
	}
	return left, nil
}

// fixChild brings one name into its canonical form and reports whether it is still there.
func (c *capturer) fixChild(dir int, name, path string, low *mergedDir, hidden bool, in inheritance) (kept bool, err error) {
	st, err := statAt(dir, name)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	was, had, err := low.lookup(name)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	switch {
	case isWhiteout(&st):
		if !had {
			err = unix.Unlinkat(dir, name, 0)
		}
		return had, wrapPath(path, err)
	case st.Mode&unix.S_IFMT == unix.S_IFSOCK:
		c.skip(path, "socket")
		if err = unix.Unlinkat(dir, name, 0); err == nil && had {
			err = makeWhiteout(dir, name)
		}
		return had, wrapPath(path, err)
	case strings.HasPrefix(name, whiteoutPrefix):
		return false, fmt.Errorf("%s: %w", path, ErrWhiteoutName)
	}
	h, err := open(dir, name, &st)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	defer h.close()
	m, err := readMeta(h, &st)
	if err != nil {
		return false, fmt.Errorf("%s: %w", path, err)
	}
	for _, x := range m.disk.extra {
		switch {
		case x == xattrRedirect || x == xattrMetacopy:
			return false, fmt.Errorf("%s: %w", path, ErrOverlay)
		case strings.Contains(x, "=") && !isOurs(x):
			c.skip(path, "xattr "+x)
		}
	}
	m.inherit(in)
	if m.isDir() {
		return c.fixSubdir(h, path, m, low, was, had, hidden, in)
	}
	same := false
	if had {
		if same, err = c.sameFile(m, h, &was); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
	}
	if g := c.groups[inode{st.Dev, st.Ino}]; g != nil {
		g.compared(same, &was)
		same = false
	}
	switch {
	case same:
		c.res.Pruned++
		return false, wrapPath(path, unix.Unlinkat(dir, name, 0))
	case !had && c.created[path] && m.isRegular() && m.size == 0:
		return false, wrapPath(path, unix.Unlinkat(dir, name, 0))
	}
	return true, c.settle(h, path, m, in)
}

func (c *capturer) fixSubdir(h handle, path string, m *meta, low *mergedDir, was mergedEntry, had, hidden bool, in inheritance) (bool, error) {
	var below *mergedDir
	same := false
	if had && was.isDir() {
		lm, lh, err := was.meta()
		if err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		lh.close()
		same = sameMeta(m, lm) && c.sameTime(m, lm)
		if below, err = low.child(was); err != nil {
			return false, fmt.Errorf("%s: %w", path, err)
		}
		defer below.close()
	}
	left, err := c.fixDir(h.fd, path, below, hidden || m.disk.opaque, m.passesOn())
	if err != nil {
		return false, err
	}
	if left == 0 && (same || (!had && c.created[path])) {
		if same {
			c.res.Pruned++
		}
		return false, wrapPath(path, unix.Unlinkat(h.dir, h.name, unix.AT_REMOVEDIR))
	}
	return true, c.settle(h, path, m, in)
}

// sameFile reports whether a file of the upper directory is the lower one.
func (c *capturer) sameFile(m *meta, h handle, was *mergedEntry) (bool, error) {
	if was.isDir() {
		return false, nil
	}
	lm, lh, err := was.meta()
	if err != nil {
		return false, err
	}
	defer lh.close()
	if !sameMeta(m, lm) || !c.sameTime(m, lm) {
		return false, nil
	}
	if !m.isRegular() {
		return true, nil
	}
	return sameContent(c.ctx, h.fd, lh.fd, &c.bufs)
}

// settle gives what stays in the upper directory the form that Unpack would give it.
func (c *capturer) settle(h handle, path string, m *meta, in inheritance) error {
	if err := removeExtra(h, m); err != nil {
		return wrapPath(path, err)
	}
	was := m.mtime
	m.mtime = c.clamp(m.mtime)
	// An owner's record may be due (an inherited group, or 0 where one would be inherited), or have
	// become superfluous.
	if m.disk.hasRecord || (in.recorded && m.disk.st.Gid == 0 && !m.disk.groupRecorded) {
		// Again with everything: a change of owner clears the setuid bit and the capabilities.
		onDisk := *m
		if h.fd < 0 {
			return wrapPath(path, h.chtimes(m.mtime))
		}
		if m.isDevice() && m.disk.st.Mode&unix.S_IFMT == unix.S_IFREG {
			onDisk.mode = m.mode&^unix.S_IFMT | unix.S_IFREG
		}
		_, err := apply(h, &onDisk, in, true)
		return wrapPath(path, err)
	}
	// Whatever was done in a directory has changed its time.
	if m.isDir() || was != m.mtime {
		return wrapPath(path, h.chtimes(m.mtime))
	}
	return nil
}

// removeExtra removes the xattrs that a file unpacked from the layer would not have.
func removeExtra(h handle, m *meta) error {
	for _, name := range m.disk.extra {
		if err := h.removeXattr(name); err != nil {
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
