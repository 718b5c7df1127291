package merge

import (
	"context"
	"io"

	"xtoo/layers"
)

// A scan knows, of a layer in which several members have one name, which of them is what unpacking the layer
// would leave. The layers that xtoo makes need none; of a foreign image, reading goes on with a scan of this
// and each lower layer once a duplicate has been met.
type scan struct {
	last   []uint32 // by node: 1 + number of its last member
	nonDir []uint32 // by node: 1 + number of its last member that is not a directory
}

// scanLayer reads the headers of a layer.
func (m *merger) scanLayer(ctx context.Context, l Layer) (*scan, error) {
	s := &scan{}
	return s, eachMember(ctx, l, "", m.onRead, func(seq uint32, e *layers.Member, _ io.Reader) error {
		if e.Kind != layers.Entry && e.Kind != layers.HardLink {
			return nil
		}
		id, err := m.t.insert(e.Path)
		if err != nil {
			return err
		}
		s.last = extend(s.last, id)
		if e.Kind == layers.HardLink && e.Target == e.Path && s.last[id] != 0 {
			return nil // adds nothing to the member before it
		}
		s.last[id] = seq + 1
		if !e.IsDir() {
			s.nonDir = extend(s.nonDir, id)
			s.nonDir[id] = seq + 1
		}
		return nil
	})
}

// extend makes s long enough to be indexed by id.
func extend(s []uint32, id uint32) []uint32 {
	if need := int(id) + 1 - len(s); need > 0 {
		s = append(s, make([]uint32, need)...)
	}
	return s
}

// superseded says whether a later member of the layer takes the place of member seq at node id, or of a
// directory above it.
func (s *scan) superseded(t *tree, id, seq uint32) bool {
	if int(id) < len(s.last) && s.last[id] > seq+1 {
		return true
	}
	return id != 0 && s.replaced(t, t.at(id).parent, seq)
}

// replaced says whether a later member of the layer than seq puts something else in the place of the directory at node
// id, or of one above it.
func (s *scan) replaced(t *tree, id, seq uint32) bool {
	for ; id != 0; id = t.at(id).parent {
		if int(id) < len(s.nonDir) && s.nonDir[id] > seq+1 {
			return true
		}
	}
	return false
}
