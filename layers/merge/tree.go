package merge

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strings"

	"xtoo/layers"
)

// none is the id of no node.
const none = ^uint32(0)

// A tree is the set of paths that the layers read so far have, with what hides what. It is a compact
// set: about 32 bytes a path beside the name itself, so that an image of a million entries costs some
// 50 MB. Names are compared in full; the hash is seeded, so that no archive can be made to collide. Nodes
// are never removed, and stay where they are in memory.
type tree struct {
	nodes [][]node // in chunks of nodeChunk
	count uint32
	names [][]byte // in chunks of nameChunk; no name is in two
	index []uint32 // open addressing over (parent, name): 1 + node id, 0 for a free slot
	marks map[uint32]mark
	seed  maphash.Seed
}

const (
	nodeChunk = 1 << 14
	nameChunk = 1 << 18
)

// A node is one path. Layers are numbered from the top and from 1; 0 is none at all.
type node struct {
	parent  uint32
	name    uint32 // where tree.names has it: chunk × nameChunk + offset
	seq     uint32 // number, within layer seen, of the latest member at this path
	prov    uint16 // the layer whose member is the visible entry here; 0 while there is none
	seen    uint16 // the layer that last had a member here, visible or not
	implied uint16 // the topmost layer that has this path as a directory because of a member below it
	below   uint16 // the layer that last had a member below this path, visible or not
	nameLen uint8
	flags   uint8
}

const (
	provDir uint8 = 1 << iota // the visible entry is a directory
	seenDir                   // the latest member was a directory
	marked                    // tree.marks has this node
)

// A mark holds the whiteouts met at a path: for each kind the topmost layer that has one, which
// decides what is visible, and the latest, which decides what a link out of an upper layer can reach.
type mark struct {
	gone, goneLast     uint16 // the path itself and everything below it, in lower layers
	opaque, opaqueLast uint16 // everything below it, in lower layers
}

func newTree() *tree {
	t := &tree{index: make([]uint32, 1024), marks: map[uint32]mark{}, seed: maphash.MakeSeed()}
	t.add(node{parent: none}) // the root, its own name empty
	return t
}

var errTooManyPaths = errors.New("too many paths")

func (t *tree) at(id uint32) *node { return &t.nodes[id/nodeChunk][id%nodeChunk] }

func (t *tree) name(id uint32) []byte {
	n := t.at(id)
	if n.nameLen == 0 {
		return nil
	}
	offset := n.name % nameChunk
	return t.names[n.name/nameChunk][offset : offset+uint32(n.nameLen)]
}

func (t *tree) add(n node) uint32 {
	id := t.count
	if id%nodeChunk == 0 {
		t.nodes = append(t.nodes, make([]node, nodeChunk))
	}
	*t.at(id) = n
	t.count++
	return id
}

// addName stores a name and returns where.
func (t *tree) addName(name string) uint32 {
	last := len(t.names) - 1
	if last < 0 || len(t.names[last])+len(name) > nameChunk {
		t.names = append(t.names, make([]byte, 0, nameChunk))
		last++
	}
	at := uint32(last)*nameChunk + uint32(len(t.names[last]))
	t.names[last] = append(t.names[last], name...)
	return at
}

// slot returns the place in the index of the child of parent called name: its own, or the free one it would take.
func (t *tree) slot(parent uint32, name string) uint32 {
	mask := uint32(len(t.index) - 1)
	h := maphash.String(t.seed, name)
	i := (uint32(h) ^ uint32(h>>32) ^ parent*0x9e3779b1) & mask
	for {
		v := t.index[i]
		if v == 0 || t.at(v-1).parent == parent && string(t.name(v-1)) == name {
			return i
		}
		i = (i + 1) & mask
	}
}

// child returns the child of parent called name, made if need be.
func (t *tree) child(parent uint32, name string) (uint32, error) {
	i := t.slot(parent, name)
	if v := t.index[i]; v != 0 {
		return v - 1, nil
	}
	if len(name) > layers.MaxName {
		return none, fmt.Errorf("name of %d bytes is longer than %d", len(name), layers.MaxName)
	}
	if t.count >= math.MaxInt32 || len(t.names) >= math.MaxUint32/nameChunk {
		return none, errTooManyPaths
	}
	id := t.add(node{parent: parent, name: t.addName(name), nameLen: uint8(len(name))})
	t.index[i] = id + 1
	if int(t.count) > len(t.index)/4*3 {
		t.grow()
	}
	return id, nil
}

func (t *tree) grow() {
	t.index = make([]uint32, 2*len(t.index))
	for id := uint32(1); id < t.count; id++ {
		t.index[t.slot(t.at(id).parent, string(t.name(id)))] = id + 1
	}
}

// insert returns the node of a clean path, made with its parents if need be.
func (t *tree) insert(path string) (uint32, error) {
	id := uint32(0)
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		var err error
		if id, err = t.child(id, name); err != nil {
			return none, err
		}
	}
	return id, nil
}

// path returns the clean path of a node.
func (t *tree) path(id uint32) string {
	var parts []string
	for ; id != 0; id = t.at(id).parent {
		parts = append(parts, string(t.name(id)))
	}
	var b strings.Builder
	for i := len(parts) - 1; i >= 0; i-- {
		b.WriteString(parts[i])
		if i > 0 {
			b.WriteByte('/')
		}
	}
	return b.String()
}

// setGone records a whiteout of the node itself in layer.
func (t *tree) setGone(id uint32, layer uint16) {
	m := t.marks[id]
	if m.gone == 0 {
		m.gone = layer
	}
	m.goneLast = layer
	t.marks[id] = m
	t.at(id).flags |= marked
}

// setOpaque records in layer that the node hides what lower layers have below it.
func (t *tree) setOpaque(id uint32, layer uint16) {
	m := t.marks[id]
	if m.opaque == 0 {
		m.opaque = layer
	}
	m.opaqueLast = layer
	t.marks[id] = m
	t.at(id).flags |= marked
}

// goneAbove says whether a layer above layer has a whiteout of the node itself.
func (t *tree) goneAbove(id uint32, layer uint16) bool {
	if t.at(id).flags&marked == 0 {
		return false
	}
	m := t.marks[id]
	return m.gone != 0 && m.gone < layer
}

// hides says whether layers above layer hide a directory that layer has at the node, for a reason that is the
// node's own.
func (t *tree) hides(id uint32, layer uint16) bool {
	n := t.at(id)
	return n.prov != 0 && n.prov < layer && n.flags&provDir == 0 || t.goneAbove(id, layer)
}

// hidesBelow says whether layers above layer hide what layer has below the node, for a reason that is the
// node's own (its parents are to be asked too).
func (t *tree) hidesBelow(id uint32, layer uint16) bool {
	if t.hides(id, layer) {
		return true
	}
	if t.at(id).flags&marked == 0 {
		return false
	}
	m := t.marks[id]
	return m.opaque != 0 && m.opaque < layer
}

// cutIn says whether layer itself takes away what lower layers have at the node: by a whiteout, an opaque
// parent, or a parent that is no directory there.
func (t *tree) cutIn(id uint32, layer uint16) bool {
	if t.at(id).flags&marked != 0 && t.marks[id].goneLast == layer {
		return true
	}
	for id != 0 {
		id = t.at(id).parent
		n := t.at(id)
		if n.seen == layer && n.flags&seenDir == 0 {
			return true
		}
		if n.flags&marked != 0 {
			if m := t.marks[id]; m.goneLast == layer || m.opaqueLast == layer {
				return true
			}
		}
	}
	return false
}

// imply records that layer has something visible in the directory at the node, or would have, did upper layers
// not hide it: so the node and its parents are directories, as far as lower layers go.
func (t *tree) imply(id uint32, layer uint16) {
	for t.at(id).implied == 0 {
		t.at(id).implied = layer
		if id == 0 {
			return
		}
		id = t.at(id).parent
	}
}

// noteBelow records that layer has a member at the node.
func (t *tree) noteBelow(id uint32, layer uint16) {
	for id != 0 {
		id = t.at(id).parent
		if t.at(id).below == layer {
			return
		}
		t.at(id).below = layer
	}
}
