package squashfs

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// xattrSet is a set of extended attributes, shared by all inodes that have the same.
type xattrSet struct {
	ref    uint64 // of its list
	count  uint32
	size   uint32 // of names and values, as a listing of them takes
	digest [sha256.Size]byte
}

// xattrTable writes each different set once, as it comes ("3.7 Xattr table").
type xattrTable struct {
	lists *metadata
	bytes bytes.Buffer // the lists' metadata blocks
	sets  slab[xattrSet]
	index index
}

func newXattrTable(c compressor) *xattrTable {
	t := &xattrTable{}
	t.lists = newMetadata(&t.bytes, c)
	return t
}

// id returns the number of a set, writing it if it is new; noXattr for none.
func (t *xattrTable) id(attrs map[string]string) (uint32, error) {
	if len(attrs) == 0 {
		return noXattr, nil
	}
	list, size, err := encodeXattrs(attrs)
	if err != nil {
		return 0, err
	}
	digest := sha256.Sum256(list)
	hash := le.Uint64(digest[:])
	if id, ok := t.index.find(hash, func(i uint32) bool { return t.sets.at(i).digest == digest }); ok {
		return id, nil
	}
	if t.sets.n == noXattr {
		return 0, fmt.Errorf("too many sets of xattrs: %w", errLimit)
	}
	ref := t.lists.ref()
	if _, err := t.lists.Write(list); err != nil {
		return 0, err
	}
	id, set := t.sets.add()
	*set = xattrSet{ref: ref, count: uint32(len(attrs)), size: size, digest: digest}
	t.index.insert(hash, id, func(i uint32) uint64 { return le.Uint64(t.sets.at(i).digest[:]) })
	return id, nil
}

// encodeXattrs puts the attributes in a list, by the order of their names.
func encodeXattrs(attrs map[string]string) (list []byte, size uint32, err error) {
	var total uint64
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		value := attrs[name]
		typ := slices.IndexFunc(xattrPrefixes[:], func(p string) bool { return strings.HasPrefix(name, p) })
		if typ < 0 {
			return nil, 0, fmt.Errorf("xattr %q: neither user., trusted. nor security.: %w", name, errLimit)
		}
		suffix := name[len(xattrPrefixes[typ]):]
		if suffix == "" || strings.IndexByte(suffix, 0) >= 0 {
			return nil, 0, fmt.Errorf("xattr %q: not a name", name)
		}
		if len(name) > maxXattrName {
			return nil, 0, fmt.Errorf("xattr %q: name of %d bytes: %w (%d)", name, len(name), errLimit, maxXattrName)
		}
		if len(value) > maxXattrValue {
			return nil, 0, fmt.Errorf("xattr %q: value of %d bytes: %w (%d)", name, len(value), errLimit, maxXattrValue)
		}
		list = le.AppendUint16(list, uint16(typ))
		list = le.AppendUint16(list, uint16(len(suffix)))
		list = append(list, suffix...)
		list = le.AppendUint32(list, uint32(len(value)))
		list = append(list, value...)
		total += uint64(len(name)) + 1 + uint64(len(value))
	}
	if total >= 1<<32 {
		return nil, 0, fmt.Errorf("xattrs of %d bytes: %w", total, errLimit)
	}
	return list, uint32(total), nil
}

// write puts lists and table behind what a holds, and returns where the table starts.
func (t *xattrTable) write(a *appender, c compressor) (uint64, error) {
	if t.sets.n == 0 {
		return noTable, nil
	}
	if err := t.lists.flush(); err != nil {
		return 0, err
	}
	head := le.AppendUint64(nil, a.pos)
	head = le.AppendUint32(head, t.sets.n)
	head = le.AppendUint32(head, 0)
	if _, err := a.Write(t.bytes.Bytes()); err != nil {
		return 0, err
	}
	return writeTable(a, c, int(t.sets.n), 16, func(b []byte, i int) []byte {
		s := t.sets.at(uint32(i))
		b = le.AppendUint64(b, s.ref)
		b = le.AppendUint32(b, s.count)
		return le.AppendUint32(b, s.size)
	}, head)
}
