package merge

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"xtoo/layers"
)

// A merger reads the layers of an image once, topmost first, and gives each visible member to a sink
// once. What it remembers of a path is in a [tree]; see there for the cost.
type merger struct {
	sink Sink
	t    *tree
	view *View

	at    int    // number of the layer being read, from 0 for the topmost
	layer uint16 // the same in the tree, from 1
	scan  *scan  // of the layer being read, nil unless it needs one
	links map[uint32]*source
	again map[memberKey]*source
	lower map[uint32][]*source
	// holding are the directories with whiteouts that the layer has, each with the deepest directory on the way to it
	// that no upper layer hides.
	holding map[uint32]uint32

	// The directory of the member before: members of one directory mostly stand together.
	dir struct {
		path   string
		id     uint32
		hidden bool
		open   uint32 // the deepest directory on the way that no upper layer hides
		valid  bool
	}
}

func newMerger(sink Sink) *merger {
	t := newTree()
	return &merger{sink: sink, t: t, view: &View{t: t}, lower: map[uint32][]*source{}}
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
	m.holding = map[uint32]uint32{}
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
	if err := eachMember(ctx, l, l.DiffID, m.member); err != nil {
		return err
	}
	if err := m.readAgain(ctx, l); err != nil {
		return fmt.Errorf("second pass: %w", err)
	}
	m.implyHolding()
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
	for rest, more := dir, dir != ""; more; {
		var name string
		name, rest, more = strings.Cut(rest, "/")
		if id, err = m.t.child(id, name); err != nil {
			return none, false, err
		}
		if n := m.t.at(id); n.seen == m.layer && n.flags&seenDir == 0 {
			return none, false, fmt.Errorf("%w: %q above it is no directory in the same layer", layers.ErrUnsafe, m.t.path(id))
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
func (m *merger) member(seq uint32, e *layers.Member, data io.Reader) error {
	switch e.Kind {
	case layers.Nothing:
		return nil
	case layers.Whiteout, layers.Opaque:
		return m.whiteout(seq, e)
	}
	id, hidden, err := m.locate(e.Path)
	if err != nil {
		return err
	}
	isDir := e.IsDir()
	// Where the link's content is to be found must be known before this member takes its place.
	var shared *source
	if e.Kind == layers.HardLink {
		if shared, err = m.linkSource(id, e); err != nil || shared == nil {
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
		m.view.Hidden++
		return nil
	}
	visible := m.claim(id, isDir, hidden)
	switch {
	case isDir && visible:
		return m.add(e, nil)
	case isDir:
		return nil
	case shared != nil:
		return m.addLink(id, e.Path, visible, shared)
	default:
		return m.addOther(id, e, data, visible)
	}
}

// whiteout records a whiteout of the layer. It counts for lower layers only, so it may stand before or after what its
// own layer has at the same place. Where that has something else than a directory above it, it has nothing to hide.
func (m *merger) whiteout(seq uint32, e *layers.Member) error {
	set, dir := m.t.setGone, e.Path
	if e.Kind == layers.Opaque {
		set = m.t.setOpaque
	} else {
		dir, _ = layers.Split(e.Path)
	}
	id, _, err := m.enter(dir)
	if errors.Is(err, layers.ErrUnsafe) {
		return nil
	}
	if err != nil {
		return err
	}
	m.t.at(id).below = m.layer
	m.t.noteBelow(id, m.layer)
	if m.scan == nil || !m.scan.replaced(m.t, id, seq) {
		m.holding[id] = m.dir.open
	}
	if e.Kind == layers.Whiteout {
		if id, _, err = m.locate(e.Path); err != nil {
			return err
		}
	}
	set(id, m.layer)
	return nil
}

// implyHolding makes the directories of a layer's whiteouts be there, as those of any member are, but for those that the
// layer itself hides: a whiteout in what is deleted says no more than that it is.
func (m *merger) implyHolding() {
	for id, open := range m.holding {
		if !m.t.cutIn(id, m.layer) {
			m.t.imply(open, m.layer)
		}
	}
}

// locate returns the node of a member, and whether an upper layer hides all there is in its directory.
func (m *merger) locate(name string) (id uint32, hidden bool, err error) {
	if name == "" {
		return 0, false, nil
	}
	dir, base := layers.Split(name)
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
	m.view.Hidden++
	if !isDir && !hidden && (n.implied != 0 || n.flags&provDir != 0) {
		m.t.setGone(id, m.layer) // hidden by a directory, it still hides the directories of lower layers
	}
	return false
}

// linkSource returns what the hard link at node id shares. A link to its own name, which tar makes when it is
// told to archive a file twice, adds nothing to the member before it: nil.
func (m *merger) linkSource(id uint32, e *layers.Member) (*source, error) {
	if e.Target != e.Path {
		return m.source(e.Target)
	}
	if n := m.t.at(id); n.seen != m.layer || n.flags&seenDir != 0 {
		return nil, fmt.Errorf("%w: a hard link to itself", layers.ErrMember)
	}
	return nil, nil
}

func (m *merger) addLink(id uint32, name string, visible bool, s *source) error {
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

// addOther adds what is neither directory nor link: under its own name, or, hidden, under the name of a link that waits
// for it.
func (m *merger) addOther(id uint32, e *layers.Member, data io.Reader, visible bool) error {
	w := m.wanted(id)
	if !visible {
		if w == nil || len(w.waiting) == 0 {
			return nil
		}
		e.Path = w.waiting[0]
		m.links[id] = w // for links of this layer to the same member
	}
	if err := m.add(e, data); err != nil {
		return err
	}
	if w == nil {
		return nil
	}
	return m.added(w, e.Path)
}

func (m *merger) add(e *layers.Member, data io.Reader) error {
	if err := m.sink.Add(e, data); err != nil {
		return err
	}
	m.view.Entries++
	return nil
}

// readAgain adds the hidden members of the layer that visible links turned out to need.
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
	m.view.SecondPasses++
	return eachMember(ctx, l, "", func(seq uint32, e *layers.Member, data io.Reader) error {
		s := want[seq]
		if s == nil {
			return nil
		}
		if e.Path != m.t.path(nodes[seq]) {
			return errors.New("the layer is not the same when it is read again")
		}
		e.Path = s.waiting[0]
		if err := m.add(e, data); err != nil {
			return err
		}
		if err := m.added(s, e.Path); err != nil {
			return err
		}
		delete(want, seq)
		if len(want) == 0 {
			return errStop
		}
		return nil
	})
}
