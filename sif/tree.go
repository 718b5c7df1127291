package sif

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"strings"
)

// maxPath is the longest member name that is accepted, in bytes: the kernel's PATH_MAX, beyond which
// nobody could open the file that the member names.
const maxPath = 4096

// maxNameLen is the longest single name, as Linux file systems have it (squashfs itself would take 256).
const maxNameLen = 255

// none is the id of no node.
const none = ^uint32(0)

// A tree is the set of paths that the layers read so far have, with what hides what. It is a compact
// set: about 35 bytes a path beside the name itself, so that an image of a million entries costs some
// tens of megabytes. Names are compared in full; the hash is seeded, so that no archive can be made
// to collide. Nodes are never removed.
type tree struct {
	nodes []node
	names []byte   // every name, end to end
	index []uint32 // open addressing over (parent, name): 1 + node id, 0 for a free slot
	marks map[uint32]mark
	seed  maphash.Seed
}

// A node is one path. Layers are numbered from the top, 0 being none at all and 1 what is laid over the image.
type node struct {
	parent  uint32
	name    uint32 // offset in tree.names
	seq     uint32 // number, within layer seen, of the latest member at this path
	prov    uint16 // the layer whose member is the visible entry here; 0 while there is none
	seen    uint16 // the layer that last had a member here, visible or not
	implied uint16 // the topmost layer that has a visible entry below this path
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
	t.nodes = append(t.nodes, node{parent: none}) // the root, its own name empty
	return t
}

var errTooManyPaths = errors.New("too many paths")

func (t *tree) name(id uint32) []byte {
	n := &t.nodes[id]
	return t.names[n.name : n.name+uint32(n.nameLen)]
}

// slot returns the place in the index of the child of parent called name: its own, or the free one it would take.
func (t *tree) slot(parent uint32, name string) uint32 {
	mask := uint32(len(t.index) - 1)
	h := maphash.String(t.seed, name)
	i := (uint32(h) ^ uint32(h>>32) ^ parent*0x9e3779b1) & mask
	for {
		v := t.index[i]
		if v == 0 || t.nodes[v-1].parent == parent && string(t.name(v-1)) == name {
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
	if len(name) > maxNameLen {
		return none, fmt.Errorf("name of %d bytes is longer than %d", len(name), maxNameLen)
	}
	if len(t.nodes) >= math.MaxInt32 || len(t.names)+len(name) > math.MaxUint32 {
		return none, errTooManyPaths
	}
	id := uint32(len(t.nodes))
	t.nodes = append(t.nodes, node{parent: parent, name: uint32(len(t.names)), nameLen: uint8(len(name))})
	t.names = append(t.names, name...)
	t.index[i] = id + 1
	if len(t.nodes) > len(t.index)/4*3 {
		t.grow()
	}
	return id, nil
}

func (t *tree) grow() {
	t.index = make([]uint32, 2*len(t.index))
	for id := 1; id < len(t.nodes); id++ {
		t.index[t.slot(t.nodes[id].parent, string(t.name(uint32(id))))] = uint32(id) + 1
	}
}

// lookup returns the node of a clean path, or none.
func (t *tree) lookup(path string) uint32 {
	id := uint32(0)
	for path != "" {
		var name string
		name, path, _ = strings.Cut(path, "/")
		v := t.index[t.slot(id, name)]
		if v == 0 {
			return none
		}
		id = v - 1
	}
	return id
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
	for ; id != 0; id = t.nodes[id].parent {
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
	t.nodes[id].flags |= marked
}

// setOpaque records in layer that the node hides what lower layers have below it.
func (t *tree) setOpaque(id uint32, layer uint16) {
	m := t.marks[id]
	if m.opaque == 0 {
		m.opaque = layer
	}
	m.opaqueLast = layer
	t.marks[id] = m
	t.nodes[id].flags |= marked
}

// goneAbove says whether a layer above layer has a whiteout of the node itself.
func (t *tree) goneAbove(id uint32, layer uint16) bool {
	if t.nodes[id].flags&marked == 0 {
		return false
	}
	m := t.marks[id]
	return m.gone != 0 && m.gone < layer
}

// hidesBelow says whether layers above layer hide what layer has below the node, for a reason that is the
// node's own (its parents are to be asked too).
func (t *tree) hidesBelow(id uint32, layer uint16) bool {
	n := &t.nodes[id]
	if n.prov != 0 && n.prov < layer && n.flags&provDir == 0 {
		return true
	}
	if n.flags&marked == 0 {
		return false
	}
	m := t.marks[id]
	return m.gone != 0 && m.gone < layer || m.opaque != 0 && m.opaque < layer
}

// cutIn says whether layer itself takes away what lower layers have at the node: by a whiteout, an opaque
// parent, or a parent that is no directory there.
func (t *tree) cutIn(id uint32, layer uint16) bool {
	if t.nodes[id].flags&marked != 0 && t.marks[id].goneLast == layer {
		return true
	}
	for id != 0 {
		id = t.nodes[id].parent
		n := &t.nodes[id]
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

// imply records that layer has a visible entry at the node, so that its parents must be directories.
func (t *tree) imply(id uint32, layer uint16) {
	for id != 0 {
		id = t.nodes[id].parent
		if t.nodes[id].implied != 0 {
			return
		}
		t.nodes[id].implied = layer
	}
}
