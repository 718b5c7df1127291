package stage4

import (
	"errors"
	"fmt"
	"hash/maphash"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// errOrder says that the lowest layer's own order does not do.
var errOrder = errors.New("the members do not stand in the order of a walk")

// A sorter brings members into the order of the tarball. It takes them from a merge, as its sink. What comes before
// straight is set is kept; what comes then goes into the archive at once, and with it what was kept of the directories that
// are left behind.
type sorter struct {
	out      *archive
	spool    *spool
	straight bool
	lost     int64

	root *node
	// open are the directories that the archive is in, the root first. None is until something is written.
	open []*node
	path []string // their names, less the root's

	// metas are of the files written straight, for hard links to them, by the hash of their names: a link's member says
	// what its file is, though whoever unpacks it need not look.
	metas map[uint64]meta
	seed  maphash.Seed
}

// A node is a directory, or a file that waits.
type node struct {
	kids map[string]*node // of a directory
	file *file            // nil: no member has described the directory yet
	// written: it stands in the archive. closed: all that is in it does, too.
	written, closed bool
}

// A file is what a member describes; hard links are nodes with the same one.
type file struct {
	member layers.Member
	at     int64  // where the spool has the data
	name   string // the path it stands under in the archive; "" until it does
}

type meta struct {
	mode, uid, gid uint32
	nsec           int32
	sec            int64
}

func newSorter(out *archive, s *spool) *sorter {
	return &sorter{out: out, spool: s, root: &node{}, metas: map[uint64]meta{}, seed: maphash.MakeSeed()}
}

// insert returns the node of a path, made with its parents if need be.
func (s *sorter) insert(path string) *node {
	n := s.root
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		n = n.kid(name)
	}
	return n
}

// kid returns the node of a name in a directory.
func (n *node) kid(name string) *node {
	k := n.kids[name]
	if k == nil {
		k = &node{}
		if n.kids == nil {
			n.kids = map[string]*node{}
		}
		n.kids[name] = k
	}
	return k
}

// find returns the node of a path, or nil.
func (s *sorter) find(path string) *node {
	n := s.root
	for path != "" && n != nil {
		var name string
		name, path, _ = strings.Cut(path, "/")
		n = n.kids[name]
	}
	return n
}

// Add implements merge.Sink.
func (s *sorter) Add(m *layers.Member, data io.Reader) error {
	s.lost += int64(len(m.Lost))
	if s.straight {
		return s.pass(m, data)
	}
	f := &file{member: *m}
	f.member.Name, f.member.Lost = "", nil
	if m.IsRegular() {
		var err error
		if f.at, err = s.spool.add(data, m.Size); err != nil {
			return err
		}
	}
	s.insert(m.Path).file = f
	return nil
}

// pass writes a member of the lowest layer.
func (s *sorter) pass(m *layers.Member, data io.Reader) error {
	dir, name := layers.Split(m.Path)
	if m.Path == "" {
		return s.passRoot(m)
	}
	if err := s.enter(dir); err != nil {
		return err
	}
	if !m.IsDir() {
		s.metas[maphash.String(s.seed, m.Path)] = meta{m.Mode, m.UID, m.GID, int32(m.ModTime.Nanosecond()), m.ModTime.Unix()}
		return s.out.add(m, data)
	}
	k := s.open[len(s.open)-1].kid(name)
	k.file, k.written = &file{}, true
	s.open, s.path = append(s.open, k), append(s.path, name)
	return s.out.add(m, nil)
}

func (s *sorter) passRoot(m *layers.Member) error {
	if s.root.written {
		return errOrder
	}
	s.root.file, s.root.written = &file{}, true
	s.open = []*node{s.root}
	return s.out.add(m, nil)
}

// Link implements merge.Sink.
func (s *sorter) Link(path, target string) error {
	t := s.find(target)
	if !s.straight {
		if t == nil || t.file == nil {
			return fmt.Errorf("%w: nothing was added as the target", layers.ErrMember)
		}
		s.insert(path).file = t.file
		return nil
	}
	known, ok := s.metas[maphash.String(s.seed, target)]
	if t != nil || !ok { // of a layer above: its place may be elsewhere
		return errOrder
	}
	dir, _ := layers.Split(path)
	if err := s.enter(dir); err != nil {
		return err
	}
	return s.out.link(path, target, &layers.Member{Mode: known.mode, UID: known.uid, GID: known.gid, ModTime: time.Unix(known.sec, int64(known.nsec))})
}

// enter goes to a directory: it completes those that are left, and writes those on the way that were kept.
func (s *sorter) enter(dir string) error {
	if len(s.open) == 0 {
		if s.root.file == nil {
			return errOrder
		}
		if err := s.write(s.root, ""); err != nil {
			return err
		}
		s.open = append(s.open, s.root)
	}
	rest, depth := dir, 0
	for rest != "" && depth < len(s.path) {
		name, after, _ := strings.Cut(rest, "/")
		if name != s.path[depth] {
			break
		}
		rest, depth = after, depth+1
	}
	if err := s.leave(depth); err != nil {
		return err
	}
	for rest != "" {
		var name string
		name, rest, _ = strings.Cut(rest, "/")
		k := s.open[len(s.open)-1].kids[name]
		if k == nil || k.file == nil || k.closed {
			return errOrder
		}
		s.open, s.path = append(s.open, k), append(s.path, name)
		if err := s.write(k, strings.Join(s.path, "/")); err != nil {
			return err
		}
	}
	return nil
}

// leave completes the open directories but for the root and the first n below it.
func (s *sorter) leave(n int) error {
	for len(s.path) > n {
		last := len(s.path)
		if err := s.complete(s.open[last], strings.Join(s.path, "/")); err != nil {
			return err
		}
		s.open, s.path = s.open[:last], s.path[:last-1]
	}
	return nil
}

// complete writes what was kept of a directory that is written itself, and of all below it.
func (s *sorter) complete(n *node, path string) error {
	for _, name := range slices.Sorted(maps.Keys(n.kids)) {
		k := n.kids[name]
		if k.closed {
			continue
		}
		below := name
		if path != "" {
			below = path + "/" + name
		}
		if err := s.write(k, below); err != nil {
			return err
		}
		if err := s.complete(k, below); err != nil {
			return err
		}
	}
	n.kids, n.closed = nil, true
	return nil
}

// write writes a node, if it was not yet.
func (s *sorter) write(n *node, path string) error {
	if n.written {
		return nil
	}
	n.written = true
	f := n.file
	switch {
	case f == nil && s.straight:
		return errOrder
	case f == nil: // as layers/tree has it
		return s.out.add(&layers.Member{Path: path, Mode: unix.S_IFDIR | 0o755, ModTime: time.Unix(0, 0)}, nil)
	case f.name != "":
		return s.out.link(path, f.name, &f.member)
	}
	f.name = path
	f.member.Path = path
	return s.out.add(&f.member, s.spool.open(f.at, f.member.Size))
}

// finish writes what is left. With implied, a root that no layer describes is none that is yet to come.
func (s *sorter) finish(implied bool) error {
	if len(s.open) == 0 {
		if s.root.file == nil && !implied {
			return errOrder
		}
		s.straight = s.straight && !implied
		if err := s.write(s.root, ""); err != nil {
			return err
		}
		s.open = append(s.open, s.root)
	}
	if err := s.leave(0); err != nil {
		return err
	}
	return s.complete(s.root, "")
}
