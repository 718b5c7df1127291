package merge

import (
	"fmt"
	"sort"

	"xtoo/layers"
)

// Hard links. A link shares the content of the member that its target names at that place of its layer:
//
//   - an earlier member of the same layer that is visible: the usual case, added before the link comes;
//   - an earlier member of the same layer that is hidden, by an upper layer or by a later member of the same
//     name: its data have gone by, so the layer is read a second time, as far as needed, and the data
//     are added under the name of the first link ([merger.again]);
//   - nothing in the same layer: what the lower layers together have under the name, unless the layer has hidden it
//     by now. That is still to come, so the link waits for it ([merger.lower]).

// A source is the content that hard links of one layer share.
type source struct {
	at      string   // the name it has been added under; "" when not yet
	waiting []string // visible links that wait for it
	layer   uint16   // the layer of the links
}

// A memberKey names one member of the layer being read.
type memberKey struct {
	node uint32
	seq  uint32
}

// link makes path another name of what s holds, now or as soon as that is added.
func (m *merger) link(s *source, path string) error {
	if s.at == "" {
		s.waiting = append(s.waiting, path)
		return nil
	}
	return m.sinkLink(path, s.at)
}

func (m *merger) sinkLink(path, target string) error {
	if err := m.sink.Link(path, target); err != nil {
		return fmt.Errorf("hard link to %q: %w", target, err)
	}
	m.view.Entries++
	return nil
}

// added tells s the name that its content has got, and links what waits for it.
func (m *merger) added(s *source, at string) error {
	s.at = at
	for _, path := range s.waiting {
		if path == at {
			continue
		}
		if err := m.sinkLink(path, at); err != nil {
			return err
		}
	}
	s.waiting = nil
	return nil
}

// source returns what a hard link to target shares, at this place of the layer. The target's node is returned
// too, or none.
func (m *merger) source(target string) (*source, error) {
	id, err := m.t.insert(target)
	if err != nil {
		return nil, err
	}
	n := m.t.at(id)
	if n.seen != m.layer {
		if m.t.cutIn(id, m.layer) {
			return nil, fmt.Errorf("%w: a hard link to %q, which the layer itself hides", layers.ErrMember, target)
		}
		for _, s := range m.lower[id] {
			if s.layer == m.layer {
				return s, nil
			}
		}
		s := &source{layer: m.layer}
		m.lower[id] = append(m.lower[id], s)
		return s, nil
	}
	if n.flags&seenDir != 0 {
		return nil, fmt.Errorf("%w: a hard link to %q, which is a directory", layers.ErrMember, target)
	}
	if s := m.links[id]; s != nil {
		return s, nil
	}
	if n.prov == m.layer && n.flags&provDir == 0 {
		return &source{at: target, layer: m.layer}, nil
	}
	key := memberKey{id, n.seq}
	s := m.again[key]
	if s == nil {
		s = &source{layer: m.layer}
		m.again[key] = s
	}
	return s, nil
}

// wanted takes the sources out of m.lower that the member at node id, of the layer being read, is the answer to:
// those of upper layers. It returns them as one, or nil.
func (m *merger) wanted(id uint32) *source {
	list := m.lower[id]
	if len(list) == 0 {
		return nil
	}
	var s *source
	rest := list[:0]
	for _, l := range list {
		switch {
		case l.layer == m.layer: // of this layer, and earlier than the member: means what lies below
			rest = append(rest, l)
		case s == nil:
			s = l
		default:
			s.waiting = append(s.waiting, l.waiting...)
		}
	}
	if len(rest) == 0 {
		delete(m.lower, id)
	} else {
		m.lower[id] = rest
	}
	return s
}

// checkLower fails when a link of an upper layer waits for something that the layer just read takes away, or has
// as a directory.
func (m *merger) checkLower() error {
	var lost []string
	for id, list := range m.lower {
		for _, s := range list {
			n := m.t.at(id)
			isDir := n.below == m.layer || n.seen == m.layer && n.flags&seenDir != 0
			if s.layer < m.layer && len(s.waiting) > 0 && (isDir || m.t.cutIn(id, m.layer)) {
				lost = append(lost, fmt.Sprintf("%q to %q", s.waiting[0], m.t.path(id)))
			}
		}
	}
	return lostLinks(lost)
}

// checkAll fails when, after the last layer, links still wait.
func (m *merger) checkAll() error {
	var lost []string
	for id, list := range m.lower {
		for _, s := range list {
			if len(s.waiting) > 0 {
				lost = append(lost, fmt.Sprintf("%q to %q", s.waiting[0], m.t.path(id)))
			}
		}
	}
	return lostLinks(lost)
}

func lostLinks(lost []string) error {
	if len(lost) == 0 {
		return nil
	}
	sort.Strings(lost)
	return fmt.Errorf("%w: hard link to what is not there: %s (%d in all)", layers.ErrMember, lost[0], len(lost))
}
