package squashfs

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// dirEntry is one entry of a directory listing.
type dirEntry struct {
	name   []byte // valid until the next one
	ref    uint64
	number uint32
	typ    uint16
}

// dirReader goes through a listing.
type dirReader struct {
	c       cursor
	left    uint64 // bytes
	run     uint32 // entries left behind the header
	block   uint32
	number  uint32
	name    [2][]byte // this one and the one before
	started bool
}

func (r *Reader) dirCursor() cursor {
	end := r.sb.idTable
	if r.sb.exportTable != noTable {
		end = min(end, r.sb.exportTable)
	}
	if r.sb.fragments > 0 {
		end = min(end, r.sb.fragmentTable)
	}
	return cursor{r: r, low: r.sb.dirTable, high: end}
}

// list starts the listing of a directory.
func (f *File) list() (*dirReader, error) {
	d := &dirReader{c: f.r.dirCursor(), left: f.dirSize}
	if d.left == 0 {
		return d, nil
	}
	return d, d.c.seek(f.r.sb.dirTable+uint64(f.dirStart), int(f.dirOffset))
}

// next reads the next entry; nil behind the last.
func (d *dirReader) next() (*dirEntry, error) {
	if d.run == 0 {
		if d.left == 0 {
			return nil, nil
		}
		if err := d.take(dirHeadSize); err != nil {
			return nil, err
		}
		if err := d.c.fields(&d.run, &d.block, &d.number); err != nil {
			return nil, err
		}
		if d.run >= maxRun {
			return nil, formatError("directory header for %d entries", uint64(d.run)+1)
		}
		d.run++
	}
	d.run--
	var offset, diff, typ, size uint16
	if err := d.take(dirEntrySize); err != nil {
		return nil, err
	}
	if err := d.c.fields(&offset, &diff, &typ, &size); err != nil {
		return nil, err
	}
	if size >= maxName {
		return nil, formatError("directory entry with a name of %d bytes", int(size)+1)
	}
	if err := d.take(uint64(size) + 1); err != nil {
		return nil, err
	}
	name := append(d.name[1][:0], make([]byte, size+1)...)
	if err := d.c.read(name); err != nil {
		return nil, err
	}
	if err := d.checkName(name); err != nil {
		return nil, err
	}
	d.name[0], d.name[1], d.started = name, d.name[0], true
	return &dirEntry{
		name: name, ref: uint64(d.block)<<16 | uint64(offset), typ: typ,
		number: d.number + uint32(int32(int16(diff))),
	}, nil
}

// take counts bytes of the listing.
func (d *dirReader) take(n uint64) error {
	if n > d.left {
		return formatError("directory listing ends in an entry")
	}
	d.left -= n
	return nil
}

// checkName refuses what cannot be a name, and what is not in order, by which duplicates are found.
func (d *dirReader) checkName(name []byte) error {
	if bytes.ContainsAny(name, "/\x00") || string(name) == "." || string(name) == ".." {
		return formatError("directory entry %q", name)
	}
	if d.started && bytes.Compare(d.name[0], name) >= 0 {
		return formatError("directory entry %q behind %q", name, d.name[0])
	}
	return nil
}

// open reads the inode of an entry and checks that both agree.
func (r *Reader) open(e *dirEntry, path string) (*File, error) {
	f, err := r.inode(e.ref)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	if f.typ != e.typ || f.Number != e.number {
		return nil, formatError("%q is inode %d of type %d, but its directory says %d of type %d", path, f.Number, f.typ, e.number, e.typ)
	}
	f.Path = path
	return f, nil
}

// Walk calls fn for the root, whose path is ".", and then for everything below it, parents first and
// names in byte order. When fn returns fs.SkipDir for a directory its contents are left out; any other
// error ends the walk and is returned.
func (r *Reader) Walk(fn func(f *File) error) error {
	root, err := r.root()
	if err != nil {
		return err
	}
	root.Path = "."
	type frame struct {
		path string
		d    *dirReader
	}
	var stack []frame
	seen := map[uint64]struct{}{}
	// Listings do not overlap, so together they are no longer than their table. A file whose
	// directories share listings would make a walk last for ever.
	c := r.dirCursor()
	budget := (c.high - c.low + 2) / 3 * metadataSize
	visit := func(f *File) error {
		if err := fn(f); err != nil {
			if errors.Is(err, fs.SkipDir) && f.typ == typeDir {
				return nil
			}
			return err
		}
		if f.typ != typeDir {
			return nil
		}
		if _, ok := seen[f.ref]; ok {
			return formatError("directory %q is in itself or in two places", f.Path)
		}
		seen[f.ref] = struct{}{}
		if f.dirSize > budget {
			return formatError("directory %q: listings overlap", f.Path)
		}
		budget -= f.dirSize
		d, err := f.list()
		if err != nil {
			return fmt.Errorf("squashfs directory %q: %w", f.Path, err)
		}
		stack = append(stack, frame{strings.TrimPrefix(f.Path+"/", "./"), d})
		return nil
	}
	if err := visit(root); err != nil {
		return err
	}
	for len(stack) > 0 {
		top := &stack[len(stack)-1]
		e, err := top.d.next()
		if err != nil {
			return fmt.Errorf("squashfs directory %q: %w", top.path, err)
		}
		if e == nil {
			stack = stack[:len(stack)-1]
			continue
		}
		f, err := r.open(e, top.path+string(e.name))
		if err != nil {
			return err
		}
		if err := visit(f); err != nil {
			return err
		}
	}
	return nil
}

// lookup finds a path, following no symbolic links. It uses the directory index as the kernel does.
func (r *Reader) lookup(path string) (*File, error) {
	f, err := r.root()
	if err != nil {
		return nil, err
	}
	f.Path = "."
	for name := range split(path) {
		if f.typ != typeDir {
			return nil, fmt.Errorf("look up %q: %q is not a directory: %w", path, f.Path, fs.ErrNotExist)
		}
		if f, err = f.child(name); err != nil {
			return nil, fmt.Errorf("look up %q: %w", path, err)
		}
	}
	return f, nil
}

func (f *File) child(name string) (*File, error) {
	d, err := f.list()
	if err != nil {
		return nil, err
	}
	err = f.eachIndex(func(size uint64, block uint32, first []byte) (bool, error) {
		if string(first) > name {
			return false, nil
		}
		if size > f.dirSize {
			return false, formatError("directory index beyond the listing")
		}
		d.left = f.dirSize - size
		return true, d.c.seek(f.r.sb.dirTable+uint64(block), int((size+uint64(f.dirOffset))%metadataSize))
	})
	if err != nil {
		return nil, err
	}
	for {
		e, err := d.next()
		if err != nil {
			return nil, err
		}
		if e == nil || string(e.name) > name {
			return nil, fs.ErrNotExist
		}
		if string(e.name) == name {
			return f.r.open(e, strings.TrimPrefix(f.Path+"/"+name, "./"))
		}
	}
}

// eachIndex calls fn for the entries of the directory index, until it says false: the header at byte
// size of the listing, in the metadata block at block, starts with the name first.
func (f *File) eachIndex(fn func(size uint64, block uint32, first []byte) (bool, error)) error {
	c := f.index
	for range f.indexed {
		var pos, block, size uint32
		if err := c.fields(&pos, &block, &size); err != nil {
			return err
		}
		if size >= maxName {
			return formatError("directory index with a name of %d bytes", uint64(size)+1)
		}
		name := make([]byte, size+1)
		if err := c.read(name); err != nil {
			return err
		}
		if more, err := fn(uint64(pos), block, name); err != nil || !more {
			return err
		}
	}
	return nil
}
