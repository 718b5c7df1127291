package tree

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// A stack is the view of layer directories on top of each other that an overlay mount would give, without the
// mount: lookups cost what is looked up and never depend on the size of the layers. Symbolic links are never
// followed.
type stack struct {
	roots []int // top first
	// behind are the roots that an opaque one hides the content of. The root itself may still be theirs.
	behind []int
}

// openStack opens layer directories, the top one first. The caller closes the stack.
func openStack(lowers []string) (*stack, error) {
	s := &stack{}
	opaque := false
	for _, path := range lowers {
		fd, err := inode.OpenRoot(path)
		if err != nil {
			s.close()
			return nil, err
		}
		if opaque {
			s.behind = append(s.behind, fd)
			continue
		}
		s.roots = append(s.roots, fd)
		if opaque, err = inode.IsOpaque(fd); err != nil {
			s.close()
			return nil, fmt.Errorf("layer directory %s: %w", path, err)
		}
	}
	return s, nil
}

func (s *stack) close() {
	for _, fd := range slices.Concat(s.roots, s.behind) {
		inode.CloseFD(fd)
	}
	s.roots, s.behind = nil, nil
}

// root returns the merged root. It borrows the stack's descriptors: it is not closed.
func (s *stack) root() *mergedDir { return &mergedDir{dirs: s.roots} }

// rootMeta returns what the merged root is: that of the topmost layer which has one, else a plain one.
func (s *stack) rootMeta() (*inode.Meta, error) {
	for _, fd := range slices.Concat(s.roots, s.behind) {
		h := inode.RootHandle(fd)
		// Asked for by itself first: most layers of a long chain have the mark, and nothing else needs to be read of them.
		if _, ok, err := h.Xattr(layers.XattrImplied); err != nil || ok {
			if err != nil {
				return nil, err
			}
			continue
		}
		st, err := inode.StatAt(fd, ".")
		if err != nil {
			return nil, err
		}
		m, err := inode.ReadMeta(h, &st)
		if err != nil {
			return nil, err
		}
		return m, nil
	}
	return &inode.Meta{Member: impliedDir()}, nil
}

// impliedDir is a directory that no layer describes.
func impliedDir() layers.Member {
	return layers.Member{Mode: unix.S_IFDIR | 0o755, ModTime: time.Unix(0, 0)}
}

// find returns the entry at a path of the merged tree. The caller calls done when it is no longer used.
// A path below a symbolic link or a file does not exist.
func (s *stack) find(path string) (e mergedEntry, ok bool, done func(), err error) {
	d := s.root()
	done = func() {}
	for more := path != ""; more; {
		var name string
		name, path, more = strings.Cut(path, "/")
		e, ok, err := d.lookup(name)
		if err != nil || !ok || !more {
			return e, ok, done, err
		}
		if !e.isDir() {
			return e, false, done, nil
		}
		next, err := d.child(e) // reads the directories that done closes
		done()
		if err != nil {
			return e, false, func() {}, err
		}
		d, done = next, next.close
	}
	return e, false, done, nil
}

// A mergedDir is one directory of the merged tree: the directories of that path that show through, top first.
// A nil one is a directory that does not exist.
type mergedDir struct {
	dirs []int
}

// A mergedEntry is what shows through at one name. It is valid as long as the mergedDir that it came from.
type mergedEntry struct {
	layer int // index in the mergedDir
	dir   int // the directory in that layer, open
	name  string
	st    unix.Stat_t
}

func (e *mergedEntry) isDir() bool { return e.st.Mode&unix.S_IFMT == unix.S_IFDIR }

// meta reads what the entry is. The caller closes the handle.
func (e *mergedEntry) meta() (*inode.Meta, inode.Handle, error) {
	h, err := inode.Open(e.dir, e.name, &e.st)
	if err != nil {
		return nil, h, fmt.Errorf("open %s in a lower layer: %w", e.name, err)
	}
	m, err := inode.ReadMeta(h, &e.st)
	if err != nil {
		h.Close()
		return nil, h, fmt.Errorf("%s in a lower layer: %w", e.name, err)
	}
	return m, h, nil
}

// lookup returns what shows through at name.
func (d *mergedDir) lookup(name string) (mergedEntry, bool, error) {
	if d == nil {
		return mergedEntry{}, false, nil
	}
	for i, fd := range d.dirs {
		st, err := inode.StatAt(fd, name)
		if errors.Is(err, unix.ENOENT) {
			continue
		}
		if err != nil {
			return mergedEntry{}, false, fmt.Errorf("look %s up in a lower layer: %w", name, err)
		}
		if inode.IsWhiteout(&st) {
			break
		}
		return mergedEntry{layer: i, dir: fd, name: name, st: st}, true, nil
	}
	return mergedEntry{}, false, nil
}

// child opens the merged directory that lookup has found. The caller closes it.
func (d *mergedDir) child(e mergedEntry) (*mergedDir, error) {
	c := &mergedDir{}
	for i := e.layer; i < len(d.dirs); i++ {
		fd, err := inode.OpenDir(d.dirs[i], e.name)
		if i > e.layer && errors.Is(err, unix.ENOENT) {
			continue
		}
		if i > e.layer && (errors.Is(err, unix.ENOTDIR) || errors.Is(err, unix.ELOOP)) {
			break // a whiteout, or a file or link that the directory has replaced
		}
		if err != nil {
			c.close()
			return nil, fmt.Errorf("open %s in a lower layer: %w", e.name, err)
		}
		c.dirs = append(c.dirs, fd)
		opaque, err := inode.IsOpaque(fd)
		if err != nil {
			c.close()
			return nil, err
		}
		if opaque {
			break
		}
	}
	return c, nil
}

func (d *mergedDir) close() {
	if d == nil {
		return
	}
	for _, fd := range d.dirs {
		inode.CloseFD(fd)
	}
	d.dirs = nil
}

// names returns the names that show through, in no order. Unlike lookups it costs the size of the directory.
func (d *mergedDir) names() ([]string, error) {
	if d == nil {
		return nil, nil
	}
	var visible []string
	seen := map[string]bool{}
	for _, fd := range d.dirs {
		names, err := inode.ReadNames(fd)
		if err != nil {
			return nil, fmt.Errorf("read a directory of a lower layer: %w", err)
		}
		for _, name := range names {
			if seen[name] {
				continue
			}
			seen[name] = true
			st, err := inode.StatAt(fd, name)
			if err != nil {
				return nil, fmt.Errorf("look %s up in a lower layer: %w", name, err)
			}
			if !inode.IsWhiteout(&st) {
				visible = append(visible, name)
			}
		}
	}
	return visible, nil
}
