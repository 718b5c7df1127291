package tree

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// hides is what a layer hides of those below, as far as its members have been seen, and what it only implies.
type hides struct {
	gone   map[string]bool // paths with a whiteout
	opaque map[string]bool // directories that hide what lower layers have in them; "" is the root
	// implied are directories that no member describes (yet), and whether they took over what a lower layer says of them.
	implied map[string]bool
	holding map[string]bool // directories with whiteouts in them
}

func newHides() hides {
	return hides{gone: map[string]bool{}, opaque: map[string]bool{}, implied: map[string]bool{}, holding: map[string]bool{}}
}

// at reports whether what lower layers have at path is hidden.
func (h *hides) at(path string) bool { return h.gone[path] || h.below(path) }

// below reports the same for a reason that lies above path.
func (h *hides) below(path string) bool {
	for path != "" {
		if path, _ = layers.Split(path); h.opaque[path] || h.gone[path] {
			return true
		}
	}
	return false
}

// impliedDeepestFirst lists the implied directories so that what is in one comes before it.
func (h *hides) impliedDeepestFirst() []string {
	return slices.SortedFunc(maps.Keys(h.implied), func(a, b string) int {
		return cmp.Or(cmp.Compare(strings.Count(b, "/"), strings.Count(a, "/")), cmp.Compare(a, b))
	})
}

// whiteout hides what lower layers have at the member's path or, for an opaque one, below it.
func (u *unpacker) whiteout(m *layers.Member) error {
	u.res.Whiteouts++
	parent, name := layers.Split(m.Path)
	if m.Kind == layers.Opaque {
		parent = m.Path
	}
	dir, err := u.enter(parent)
	if errors.Is(err, layers.ErrUnsafe) {
		return nil // the layer itself has something else there: nothing is left to hide
	}
	if err != nil {
		return err
	}
	if m.Kind == layers.Opaque {
		u.res.OpaqueRoot = u.res.OpaqueRoot || m.Path == ""
		return u.makeOpaque(dir.fd, m.Path)
	}
	st, err := inode.StatAt(dir.fd, name)
	switch {
	case errors.Is(err, unix.ENOENT):
		return u.makeWhiteout(dir, name, m.Path)
	case err != nil:
		return err
	}
	u.hides.gone[m.Path] = true
	if st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil // a whiteout already, or a file of this layer that hides the lower one anyway
	}
	fd, err := inode.OpenDir(dir.fd, name)
	if err != nil {
		return err
	}
	defer inode.CloseFD(fd)
	return u.makeOpaque(fd, m.Path)
}

func (u *unpacker) makeWhiteout(dir *openedDir, name, path string) error {
	parent, _ := layers.Split(path)
	u.hides.gone[path], u.hides.holding[parent] = true, true
	return inode.MakeWhiteout(dir.fd, name, whiteouts(u.o.Copied))
}

func (u *unpacker) makeOpaque(fd int, path string) error {
	u.hides.opaque[path] = true
	return inode.MakeOpaque(fd)
}

// finish sets what was held back, settles what is implied, and removes the whiteouts that hide nothing: overlayfs would
// list them.
func (u *unpacker) finish() error {
	if err := u.settleImplied(); err != nil {
		return err
	}
	for _, path := range slices.Sorted(maps.Keys(u.hides.opaque)) {
		if err := u.removeWhiteoutsOf(path, true); err != nil {
			return err
		}
	}
	if u.o.Whole {
		for _, path := range slices.Sorted(maps.Keys(u.hides.holding)) {
			if path == "" || u.hides.opaque[path] || u.hides.at(path) {
				continue // the root of an overlay is never one layer's alone
			}
			below, err := u.dirBelow(path)
			if err == nil && below == nil {
				err = u.removeWhiteoutsOf(path, false)
			}
			if err != nil {
				return err
			}
		}
	}
	if err := u.setNamed(); err != nil {
		return err
	}
	return u.dirs.leave(0)
}

func (u *unpacker) removeWhiteoutsOf(path string, deep bool) error {
	dir, err := u.existing(path)
	if err != nil || dir == nil {
		return err
	}
	if err := removeWhiteouts(dir.fd, deep); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// existing makes path the current directory and returns it; nil if a later member has replaced it.
func (u *unpacker) existing(path string) (*openedDir, error) {
	dir, err := u.dirs.enter(path, func(string, *openedDir) (int, error) { return -1, unix.ENOENT })
	if errors.Is(err, layers.ErrUnsafe) || errors.Is(err, unix.ENOENT) {
		return nil, nil
	}
	return dir, err
}

func isNotDir(err error) bool {
	return errors.Is(err, unix.ENOENT) || errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)
}

// removeWhiteouts removes the whiteouts in a directory and, if deep, in everything below it.
func removeWhiteouts(dir int, deep bool) error {
	names, err := inode.ReadNames(dir)
	if err != nil {
		return err
	}
	st, err := inode.StatAt(dir, ".")
	if err != nil {
		return err
	}
	for _, name := range names {
		child, err := inode.StatAt(dir, name)
		switch {
		case err != nil:
		case inode.IsWhiteout(&child):
			err = unix.Unlinkat(dir, name, 0)
		case deep && child.Mode&unix.S_IFMT == unix.S_IFDIR:
			var fd int
			if fd, err = inode.OpenDir(dir, name); err == nil {
				err = removeWhiteouts(fd, true)
				inode.CloseFD(fd)
			}
		}
		if err != nil {
			return err
		}
	}
	return inode.RootHandle(dir).Chtimes(time.Unix(st.Mtim.Unix()))
}
