package squashfs

import (
	"bytes"
	"fmt"
	"math"
)

// inodeWriter writes the inode table to the output and the directory table, which follows it and points
// into it, to memory.
type inodeWriter struct {
	w      *Writer
	inodes *metadata
	dirs   *metadata
	buf    []byte
	list   []uint32
}

// writeInodes writes both tables: for each directory, after its subdirectories, its other children, its
// listing and itself.
func (w *Writer) writeInodes(a *appender, sb *superblock) error {
	w.tree.finish()
	sb.inodeTable = a.pos
	var dirs bytes.Buffer
	iw := &inodeWriter{w: w, inodes: newMetadata(a, w.comp), dirs: newMetadata(&dirs, w.comp)}
	if err := w.tree.postOrder(iw.directory); err != nil {
		return err
	}
	if err := iw.inodes.flush(); err != nil {
		return err
	}
	if err := iw.dirs.flush(); err != nil {
		return err
	}
	sb.root = w.tree.inodeOf(0).ref
	sb.dirTable = a.pos
	_, err := a.Write(dirs.Bytes())
	return err
}

func (iw *inodeWriter) directory(dir uint32) error {
	t := iw.w.tree
	iw.list = t.children(dir, iw.list[:0])
	for _, c := range iw.list {
		in := t.inodeOf(c)
		if in.isDir() || in.state&stateWritten != 0 {
			continue
		}
		b := iw.encode(in)
		if err := iw.put(in, b); err != nil {
			return err
		}
	}
	l, err := iw.listing(iw.list)
	if err != nil {
		return fmt.Errorf("squashfs directory %q: %w", t.name(dir), err)
	}
	in := t.inodeOf(dir)
	parent := t.inodes.n + 1 // of the root, by custom
	if dir != 0 {
		parent = t.inodeOf(t.nodes.at(dir).parent).number
	}
	return iw.put(in, iw.encodeDir(in, l, parent))
}

// put appends an inode to the table.
func (iw *inodeWriter) put(in *inode, b []byte) error {
	in.ref = iw.inodes.ref()
	if in.ref>>16 > math.MaxUint32 {
		return fmt.Errorf("squashfs inode table of more than 4 GiB: %w", errLimit)
	}
	in.state |= stateWritten
	_, err := iw.inodes.Write(b)
	iw.buf = b[:0]
	return err
}

// head starts an inode ("3.3 Inodes": the header common to all).
func (iw *inodeWriter) head(in *inode, typ uint16) []byte {
	b := iw.buf[:0]
	for _, v := range []uint16{typ, in.mode & modePerm, in.uid, in.gid} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, in.mtime)
	return le.AppendUint32(b, in.number)
}

// encode returns an inode that is no directory. Only the extended types have xattrs.
func (iw *inodeWriter) encode(in *inode) []byte {
	typ := typeOf(uint32(in.mode))
	if typ == typeFile {
		return iw.encodeFile(in)
	}
	if in.xattr != noXattr {
		typ += extended
	}
	b := le.AppendUint32(iw.head(in, typ), in.nlink)
	switch typ {
	case typeSymlink, typeSymlink + extended:
		target := iw.w.tree.names.get(in.data)
		b = le.AppendUint32(b, uint32(len(target)))
		b = append(b, target...)
	case typeBlock, typeChar, typeBlock + extended, typeChar + extended:
		b = le.AppendUint32(b, uint32(in.data))
	}
	if in.xattr != noXattr {
		b = le.AppendUint32(b, in.xattr)
	}
	return b
}

// encodeFile returns a regular file's inode: the short form holds 32-bit sizes and positions, one link,
// no xattrs and no holes.
func (iw *inodeWriter) encodeFile(in *inode) []byte {
	var sparse uint64
	c, files := &content{frag: noFragment}, iw.w.files
	if in.data != 0 {
		c = files.list.at(uint32(in.data - 1))
		left := c.size
		files.sizes(c, func(size uint32) {
			if size == 0 {
				sparse += min(left, uint64(files.blockSize))
			}
			left -= min(left, uint64(files.blockSize))
		})
	}
	var b []byte
	if in.nlink == 1 && in.xattr == noXattr && sparse == 0 && c.start <= math.MaxUint32 && c.size <= math.MaxUint32 {
		b = iw.head(in, typeFile)
		for _, v := range []uint32{uint32(c.start), c.frag, c.fragOffset, uint32(c.size)} {
			b = le.AppendUint32(b, v)
		}
	} else {
		if sparse > 0 && sparse == c.size {
			sparse-- // mksquashfs never counts all of a file: its readers take that for no count at all
		}
		b = iw.head(in, typeFile+extended)
		for _, v := range []uint64{c.start, c.size, sparse} {
			b = le.AppendUint64(b, v)
		}
		for _, v := range []uint32{in.nlink, c.frag, c.fragOffset, in.xattr} {
			b = le.AppendUint32(b, v)
		}
	}
	if in.data != 0 {
		files.sizes(c, func(size uint32) { b = le.AppendUint32(b, size) })
	}
	return b
}

// encodeDir returns a directory's inode: the short form holds 16-bit sizes, no xattrs and no index. The
// size of "." and "..", which are not stored, counts as 3.
func (iw *inodeWriter) encodeDir(in *inode, l *listing, parent uint32) []byte {
	start, offset := uint32(l.ref>>16), uint16(l.ref)
	if in.xattr == noXattr && l.size+3 <= math.MaxUint16 && l.indexed == 0 {
		b := iw.head(in, typeDir)
		b = le.AppendUint32(b, start)
		b = le.AppendUint32(b, in.nlink)
		b = le.AppendUint16(b, uint16(l.size+3))
		b = le.AppendUint16(b, offset)
		return le.AppendUint32(b, parent)
	}
	b := iw.head(in, typeDir+extended)
	for _, v := range []uint32{in.nlink, uint32(l.size + 3), start, parent} {
		b = le.AppendUint32(b, v)
	}
	b = le.AppendUint16(b, l.indexed)
	b = le.AppendUint16(b, offset)
	b = le.AppendUint32(b, in.xattr)
	return append(b, l.index...)
}

// listing is what a directory's inode says about its place in the directory table.
type listing struct {
	ref     uint64
	size    uint64 // bytes
	index   []byte // "3.4 Directories": the first name of metadata blocks
	indexed uint16 // entries in index
}

// Limits of a run of entries behind one header ("3.4 Directories").
const (
	maxRun       = 256
	dirHeadSize  = 12
	dirEntrySize = 8
)

// listing appends the sorted children of a directory, whose inodes are all written, to the directory
// table. Entries whose inodes are near each other share a header.
func (iw *inodeWriter) listing(list []uint32) (*listing, error) {
	t := iw.w.tree
	l := &listing{ref: iw.dirs.ref()}
	first := l.ref & 0xffff // offset of the listing in its first block
	block := uint64(0)      // the last metadata block, counted from the first, that the index knows
	for len(list) > 0 {
		run := iw.run(list)
		// Readers that look for a name skip to the last indexed header whose name is not behind it.
		if k := (first + l.size) / metadataSize; k > block && l.indexed < math.MaxUint16 {
			block = k
			l.addIndex(iw.dirs.ref(), t.name(list[0]))
		}
		base := t.inodeOf(list[0])
		b := le.AppendUint32(iw.buf[:0], uint32(run-1))
		b = le.AppendUint32(b, uint32(base.ref>>16))
		b = le.AppendUint32(b, base.number)
		for _, c := range list[:run] {
			in, name := t.inodeOf(c), t.name(c)
			for _, v := range []uint16{uint16(in.ref), uint16(in.number - base.number), typeOf(uint32(in.mode)), uint16(len(name) - 1)} {
				b = le.AppendUint16(b, v)
			}
			b = append(b, name...)
		}
		iw.buf = b
		if _, err := iw.dirs.Write(b); err != nil {
			return nil, err
		}
		if l.size += uint64(len(b)); l.size+3 > math.MaxUint32 {
			return nil, fmt.Errorf("listing of more than 4 GiB: %w", errLimit)
		}
		list = list[run:]
	}
	if iw.dirs.pos > math.MaxUint32 {
		return nil, fmt.Errorf("directory table of more than 4 GiB: %w", errLimit)
	}
	return l, nil
}

// addIndex notes that the header at ref begins with name.
func (l *listing) addIndex(ref uint64, name []byte) {
	l.indexed++
	l.index = le.AppendUint32(l.index, uint32(l.size))
	l.index = le.AppendUint32(l.index, uint32(ref>>16))
	l.index = le.AppendUint32(l.index, uint32(len(name)-1))
	l.index = append(l.index, name...)
}

// run is how many entries, one at least, the next header can stand for: the inodes are in the same
// metadata block, their numbers within 16 bits of the first.
func (iw *inodeWriter) run(list []uint32) int {
	t := iw.w.tree
	base := t.inodeOf(list[0])
	n := 1
	for ; n < min(len(list), maxRun); n++ {
		in := t.inodeOf(list[n])
		diff := int64(in.number) - int64(base.number)
		if in.ref>>16 != base.ref>>16 || diff < math.MinInt16 || diff > math.MaxInt16 {
			break
		}
	}
	return n
}
