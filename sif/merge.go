package sif

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"xtoo/sif/squashfs"
)

// A filesystem takes what a merge finds visible. Entries come in any order: a file may come before the
// directory that it is in, and directories that no layer describes do not come at all.
type filesystem interface {
	Add(e squashfs.Entry, data io.Reader) error
	Link(path, target string) error
	Close() (size int64, err error)
	Abort()
}

// A merger reads the layers of an image once, topmost first, and gives each visible entry to a filesystem
// once. What it remembers of a path is in a [tree]; see there for the cost.
type merger struct {
	fs   filesystem
	t    *tree
	conv converter
	info *Info

	at    int    // number of the image's layer being read, from 0
	layer uint16 // the same in the tree: 1 is what is laid over the image, 2 its top layer
	scan  *scan  // of the layer being read, nil unless it needs one
	links map[uint32]*source
	again map[memberKey]*source
	lower map[uint32][]*source

	// The directory of the member before: members of one directory mostly stand together.
	dir struct {
		path   string
		id     uint32
		hidden bool
		open   uint32 // the deepest directory on the way that no upper layer hides
		valid  bool
	}

	onRead func(int)
}

func newMerger(fs filesystem, o Options, info *Info) *merger {
	return &merger{fs: fs, t: newTree(), conv: converter{epoch: o.Epoch, info: info}, info: info,
		lower: map[uint32][]*source{}, onRead: func(int) {}}
}

// errDuplicate ends a merge that met a second member of one name in a layer that it had not scanned.
var errDuplicate = errors.New("duplicate member")

func (m *merger) startLayer() error {
	if m.layer == math.MaxUint16 {
		return errors.New("too many layers")
	}
	m.layer++
	m.scan = nil
	m.links = map[uint32]*source{}
	m.again = map[memberKey]*source{}
	m.dir.valid = false
	return nil
}

// read merges one layer. With scanned it reads the layer's headers first, to know which of several members of
// one name is the last; without, it returns errDuplicate when there are several.
func (m *merger) read(ctx context.Context, l Layer, scanned bool) error {
	if err := m.startLayer(); err != nil {
		return err
	}
	if scanned {
		var err error
		if m.scan, err = m.scanLayer(ctx, l); err != nil {
			return fmt.Errorf("scan: %w", err)
		}
	}
	err := eachMember(ctx, l, l.DiffID, m.onRead, func(seq uint32, hdr *tar.Header, data io.Reader) error {
		return m.member(seq, hdr, data)
	})
	if err != nil {
		return err
	}
	if err := m.readAgain(ctx, l); err != nil {
		return fmt.Errorf("second pass: %w", err)
	}
	return m.checkLower()
}

// enter returns the node of a member's directory, and whether an upper layer hides what is in it.
func (m *merger) enter(dir string) (id uint32, hidden bool, err error) {
	if m.dir.valid && m.dir.path == dir {
		return m.dir.id, m.dir.hidden, nil
	}
	id = 0
	open := id
	hidden = m.t.hidesBelow(0, m.layer)
	for rest := dir; rest != ""; {
		var name string
		name, rest = firstName(rest)
		if id, err = m.t.child(id, name); err != nil {
			return none, false, err
		}
		if n := m.t.at(id); n.seen == m.layer && n.flags&seenDir == 0 {
			return none, false, fmt.Errorf("%w: %q", ErrThrough, m.t.path(id))
		}
		if !hidden && !m.t.hides(id, m.layer) {
			open = id
		}
		hidden = hidden || m.t.hidesBelow(id, m.layer)
	}
	m.dir.path, m.dir.id, m.dir.hidden, m.dir.open, m.dir.valid = dir, id, hidden, open, true
	return id, hidden, nil
}

// member merges one member of the layer.
func (m *merger) member(seq uint32, hdr *tar.Header, data io.Reader) error {
	name, err := cleanName(hdr.Name)
	if err != nil {
		return err
	}
	wh, err := parseWhiteout(name)
	if err != nil || wh.kind == whIgnored {
		return err
	}
	if wh.kind != whNone {
		dir, _ := splitPath(name)
		return m.whiteout(dir, wh)
	}
	id, hidden, err := m.locate(name)
	if err != nil {
		return err
	}
	isDir := hdr.Typeflag == tar.TypeDir
	if id == 0 && !isDir {
		return fmt.Errorf("%w: the root is not a directory", ErrMember)
	}
	// Where the link's content is to be found must be known before this member takes its place.
	var shared *source
	if hdr.Typeflag == tar.TypeLink {
		if shared, err = m.linkSource(id, name, hdr.Linkname); err != nil || shared == nil {
			return err
		}
	}
	superseded, err := m.note(id, seq, isDir)
	if err != nil {
		return err
	}
	if superseded {
		if shared != nil {
			m.links[id] = shared
		}
		m.info.Hidden++
		return nil
	}
	visible := m.claim(id, isDir, hidden)
	switch {
	case isDir && visible:
		return m.pack(hdr, nil, name)
	case isDir:
		return nil
	case shared != nil:
		return m.packLink(id, name, visible, shared)
	default:
		return m.packOther(hdr, data, id, name, visible)
	}
}

// locate returns the node of a member, and whether an upper layer hides all there is in its directory.
func (m *merger) locate(name string) (id uint32, hidden bool, err error) {
	if name == "" {
		return 0, false, nil
	}
	dir, base := splitPath(name)
	if id, hidden, err = m.enter(dir); err != nil {
		return none, false, err
	}
	id, err = m.t.child(id, base)
	return id, hidden, err
}

// note records that the layer has a member at the node, and says whether a later one of the layer takes its place.
func (m *merger) note(id, seq uint32, isDir bool) (superseded bool, err error) {
	n := m.t.at(id)
	if m.scan != nil {
		superseded = m.scan.superseded(m.t, id, seq)
		delete(m.links, id)
		m.dir.valid = m.dir.valid && isDir // what it holds is still right for this member
	} else if n.seen == m.layer || !isDir && n.below == m.layer {
		return false, errDuplicate
	}
	m.t.noteBelow(id, m.layer)
	n.seen, n.seq = m.layer, seq
	n.flags &^= seenDir
	if isDir {
		n.flags |= seenDir
	}
	if superseded && !isDir {
		m.t.setGone(id, m.layer) // what replaces it does not bring back the directories of lower layers
	}
	return superseded, nil
}

// claim makes the member at the node the visible one, unless upper layers hide it, and says whether it is.
func (m *merger) claim(id uint32, isDir, hidden bool) bool {
	if id != 0 {
		m.t.imply(m.dir.open, m.layer) // a directory that a member needs is there even if the member is hidden
	}
	n := m.t.at(id)
	if !hidden && n.prov == 0 && (isDir || n.implied == 0) && !m.t.goneAbove(id, m.layer) {
		n.prov = m.layer
		if isDir {
			n.flags |= provDir
		}
		return true
	}
	m.info.Hidden++
	if !isDir && !hidden && (n.implied != 0 || n.flags&provDir != 0) {
		m.t.setGone(id, m.layer) // hidden by a directory, it still hides the directories of lower layers
	}
	return false
}

// linkSource returns what the hard link at node id shares. A link to its own name, which tar makes when it is
// told to archive a file twice, adds nothing to the member before it: nil.
func (m *merger) linkSource(id uint32, name, linkname string) (*source, error) {
	target, err := cleanTarget(linkname)
	if err != nil {
		return nil, fmt.Errorf("hard link to %q: %w", linkname, err)
	}
	if target != name {
		return m.source(target)
	}
	if n := m.t.at(id); n.seen != m.layer || n.flags&seenDir != 0 {
		return nil, fmt.Errorf("%w: itself", ErrLinkTarget)
	}
	return nil, nil
}

func (m *merger) packLink(id uint32, name string, visible bool, s *source) error {
	m.links[id] = s
	if visible {
		if err := m.link(s, name); err != nil {
			return err
		}
	}
	if w := m.wanted(id); w != nil {
		for _, path := range w.waiting {
			if err := m.link(s, path); err != nil {
				return err
			}
		}
	}
	return nil
}

// packOther packs what is neither directory nor link: under its own name, or, hidden, under the name of a link
// that waits for it.
func (m *merger) packOther(hdr *tar.Header, data io.Reader, id uint32, name string, visible bool) error {
	w := m.wanted(id)
	if !visible {
		if w == nil || len(w.waiting) == 0 {
			return nil
		}
		name = w.waiting[0]
		m.links[id] = w // for links of this layer to the same member
	}
	if err := m.pack(hdr, data, name); err != nil {
		return err
	}
	if w == nil {
		return nil
	}
	return m.packed(w, name)
}

func (m *merger) pack(hdr *tar.Header, data io.Reader, name string) error {
	e, err := m.conv.entry(hdr, name)
	if err != nil {
		return err
	}
	if err := m.fs.Add(e, data); err != nil {
		return err
	}
	m.info.Entries++
	return nil
}

// readAgain packs the hidden members of the layer that visible links turned out to need.
func (m *merger) readAgain(ctx context.Context, l Layer) error {
	want := map[uint32]*source{}
	nodes := map[uint32]uint32{}
	for key, s := range m.again {
		if len(s.waiting) > 0 {
			want[key.seq] = s
			nodes[key.seq] = key.node
		}
	}
	if len(want) == 0 {
		return nil
	}
	m.info.SecondPasses++
	return eachMember(ctx, l, "", m.onRead, func(seq uint32, hdr *tar.Header, data io.Reader) error {
		s := want[seq]
		if s == nil {
			return nil
		}
		if name, err := cleanName(hdr.Name); err != nil || name != m.t.path(nodes[seq]) {
			return errors.New("the layer is not the same when it is read again")
		}
		at := s.waiting[0]
		if err := m.pack(hdr, data, at); err != nil {
			return err
		}
		if err := m.packed(s, at); err != nil {
			return err
		}
		delete(want, seq)
		if len(want) == 0 {
			return errStop
		}
		return nil
	})
}
