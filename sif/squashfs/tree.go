package squashfs

import (
	"bytes"
	"fmt"
	"hash/maphash"
	"io/fs"
	"math"
	"slices"
	"strings"
)

// node is a name in a directory. Node 0 is the root.
type node struct {
	name   uint64 // in tree.names
	parent uint32 // node of the directory
	inode  uint32
	child  uint32 // a directory's first child; 0: none
	next   uint32 // the next child of the same directory; 0: none
}

// inode is what one or several names stand for.
type inode struct {
	data   uint64 // file: its content + 1, 0 if empty; symbolic link: target in tree.names; device: number
	ref    uint64 // place in the inode table, once written
	mtime  uint32
	nlink  uint32
	xattr  uint32
	number uint32 // 0: none yet
	uid    uint16 // index into the id table
	gid    uint16
	mode   uint16
	state  uint16
}

// States of an inode.
const (
	stateImplicit = 1 << iota // a directory that no entry has described yet
	stateWritten              // ref is right
)

func (i *inode) isDir() bool { return i.mode&modeType == modeDir }

// tree is all names and inodes.
type tree struct {
	nodes  slab[node]
	inodes slab[inode]
	names  arena
	byName index
	seed   maphash.Seed
}

func newTree(root inode) *tree {
	t := &tree{seed: maphash.MakeSeed()}
	_, n := t.nodes.add()
	i, in := t.inodes.add()
	n.inode, *in = i, root
	return t
}

func (t *tree) name(n uint32) []byte { return t.names.get(t.nodes.at(n).name) }

func (t *tree) inodeOf(n uint32) *inode { return t.inodes.at(t.nodes.at(n).inode) }

func (t *tree) hash(n uint32) uint64 { return nameHash(t.seed, t.nodes.at(n).parent, t.name(n)) }

// lookup finds a name in a directory.
func (t *tree) lookup(dir uint32, name string) (uint32, bool) {
	return t.byName.find(nameHash(t.seed, dir, []byte(name)), func(n uint32) bool {
		return t.nodes.at(n).parent == dir && string(t.name(n)) == name
	})
}

// split yields the names in a path. Empty ones and "." do not count.
func split(path string) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for name := range strings.SplitSeq(path, "/") {
			if name != "" && name != "." && !yield(name) {
				return
			}
		}
	}
}

// checkPath says whether every name in the path can be stored.
func checkPath(path string) error {
	if strings.IndexByte(path, 0) >= 0 {
		return fmt.Errorf("path %q: holds a zero byte", path)
	}
	for name := range split(path) {
		if name == ".." {
			return fmt.Errorf("path %q: holds \"..\"", path)
		}
		if len(name) > maxName {
			return fmt.Errorf("path %q: name of %d bytes: %w (%d)", path, len(name), errLimit, maxName)
		}
	}
	return nil
}

// find returns the node at a checked path.
func (t *tree) find(path string) (uint32, error) {
	n := uint32(0)
	for name := range split(path) {
		var ok bool
		if n, ok = t.lookup(n, name); !ok {
			return 0, fmt.Errorf("path %q: %w", path, fs.ErrNotExist)
		}
	}
	return n, nil
}

// free makes sure that a checked path can be added, and changes nothing. With dir, a directory that is
// there but implicit is free: described is then its node, else 0 and ok false.
func (t *tree) free(path string, dir bool) (described uint32, ok bool, err error) {
	n := uint32(0)
	for name := range split(path) {
		if !t.inodeOf(n).isDir() {
			return 0, false, fmt.Errorf("add %q: %q is not a directory: %w", path, t.name(n), fs.ErrExist)
		}
		child, there := t.lookup(n, name)
		if !there {
			return 0, false, nil
		}
		n = child
	}
	if in := t.inodeOf(n); dir && in.isDir() && in.state&stateImplicit != 0 {
		return n, true, nil
	}
	return 0, false, fmt.Errorf("add %q: %w", path, fs.ErrExist)
}

// add puts a name for an inode at a path that is free, with implicit directories above it.
func (t *tree) add(path string, in uint32, implicit inode) error {
	dir, last := uint32(0), ""
	for name := range split(path) {
		if last != "" {
			child, ok := t.lookup(dir, last)
			if !ok {
				i, d, err := t.newInode()
				if err != nil {
					return err
				}
				*d = implicit
				if child, err = t.insert(dir, last, i); err != nil {
					return err
				}
			}
			dir = child
		}
		last = name
	}
	_, err := t.insert(dir, last, in)
	return err
}

func (t *tree) newInode() (uint32, *inode, error) {
	if t.inodes.n == math.MaxUint32-1 {
		return 0, nil, fmt.Errorf("too many inodes: %w", errLimit)
	}
	i, in := t.inodes.add()
	return i, in, nil
}

func (t *tree) insert(dir uint32, name string, in uint32) (uint32, error) {
	if t.nodes.n == math.MaxUint32-1 {
		return 0, fmt.Errorf("too many names: %w", errLimit)
	}
	i, n := t.nodes.add()
	d := t.nodes.at(dir)
	*n = node{name: t.names.put(name), parent: dir, inode: in, next: d.child}
	d.child = i
	t.byName.insert(t.hash(i), i, t.hash)
	return i, nil
}

// children appends a directory's children to list.
func (t *tree) children(dir uint32, list []uint32) []uint32 {
	for c := t.nodes.at(dir).child; c != 0; c = t.nodes.at(c).next {
		list = append(list, c)
	}
	return list
}

// finish sorts every directory by name, as readers need it, counts the links of directories, and
// numbers the inodes: the children of a directory one after the other, as far as hard links let them,
// because a directory stores 16-bit differences of numbers.
func (t *tree) finish() {
	var number uint32
	t.byName = index{}
	next := func(n uint32) {
		if in := t.inodeOf(n); in.number == 0 {
			number++
			in.number = number
		}
	}
	next(0)
	var list []uint32
	for todo := []uint32{0}; len(todo) > 0; {
		dir := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		list = t.children(dir, list[:0])
		slices.SortFunc(list, func(a, b uint32) int { return bytes.Compare(t.name(a), t.name(b)) })
		in, link := t.inodeOf(dir), &t.nodes.at(dir).child
		in.nlink = 2
		for _, c := range list {
			*link, link = c, &t.nodes.at(c).next
			next(c)
		}
		*link = 0
		for _, c := range slices.Backward(list) {
			if t.inodeOf(c).isDir() {
				in.nlink++
				todo = append(todo, c)
			}
		}
	}
}

// postOrder calls visit for every directory, after its subdirectories.
func (t *tree) postOrder(visit func(dir uint32) error) error {
	type frame struct{ dir, next uint32 }
	stack := []frame{{0, t.nodes.at(0).child}}
	for len(stack) > 0 {
		f := &stack[len(stack)-1]
		for f.next != 0 && !t.inodeOf(f.next).isDir() {
			f.next = t.nodes.at(f.next).next
		}
		if f.next != 0 {
			sub := f.next
			f.next = t.nodes.at(sub).next
			stack = append(stack, frame{sub, t.nodes.at(sub).child})
			continue
		}
		if err := visit(f.dir); err != nil {
			return err
		}
		stack = stack[:len(stack)-1]
	}
	return nil
}
