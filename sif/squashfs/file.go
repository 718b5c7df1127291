package squashfs

import (
	"fmt"
	"math"
	"time"
)

// File is an inode that was read. Path is set where a walk or a lookup found it by; Xattrs is nil: see
// [File.ReadXattrs].
type File struct {
	Entry
	Number uint32 // inode number
	Links  uint32

	r     *Reader
	ref   uint64
	xattr uint32
	typ   uint16

	// Of a regular file.
	start      uint64
	sparse     uint64
	frag       uint32
	fragOffset uint32
	blocks     cursor // at the list of block sizes

	// Of a directory.
	dirStart  uint32
	dirOffset uint16
	dirSize   uint64 // of the listing
	indexed   uint16
	index     cursor // at the directory index
	parent    uint32
}

// root returns the root directory.
func (r *Reader) root() (*File, error) {
	f, err := r.inode(r.sb.root)
	if err != nil {
		return nil, err
	}
	if f.Mode&modeType != modeDir {
		return nil, formatError("the root is no directory")
	}
	return f, nil
}

// fields reads little-endian numbers one after the other.
func (c *cursor) fields(fields ...any) error {
	var b [8]byte
	for _, f := range fields {
		var err error
		switch f := f.(type) {
		case *uint16:
			err = c.read(b[:2])
			*f = le.Uint16(b[:])
		case *uint32:
			err = c.read(b[:4])
			*f = le.Uint32(b[:])
		case *uint64:
			err = c.read(b[:8])
			*f = le.Uint64(b[:])
		default:
			err = fmt.Errorf("cannot read a field of type %T", f)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// inode reads the inode at a reference.
func (r *Reader) inode(ref uint64) (*File, error) {
	f := &File{r: r, ref: ref, xattr: noXattr, frag: noFragment}
	c := cursor{r: r, low: r.sb.inodeTable, high: r.sb.dirTable}
	if ref>>48 != 0 {
		return nil, formatError("inode reference %#x", ref)
	}
	if err := c.seek(r.sb.inodeTable+ref>>16, int(ref&0xffff)); err != nil {
		return nil, err
	}
	if err := f.decode(&c); err != nil {
		return nil, fmt.Errorf("squashfs inode %#x: %w", ref, err)
	}
	if f.Links == 0 {
		return nil, formatError("inode %#x without links", ref)
	}
	return f, nil
}

func (f *File) decode(c *cursor) error {
	var perm, uid, gid uint16
	var mtime uint32
	if err := c.fields(&f.typ, &perm, &uid, &gid, &mtime, &f.Number); err != nil {
		return err
	}
	if f.typ == 0 || f.typ > typeSocket+extended {
		return formatError("type %d", f.typ)
	}
	if int(uid) >= len(f.r.ids) || int(gid) >= len(f.r.ids) {
		return formatError("uid %d and gid %d of %d ids", uid, gid, len(f.r.ids))
	}
	if f.Number == 0 || f.Number > f.r.sb.inodes {
		return formatError("number %d of %d", f.Number, f.r.sb.inodes)
	}
	ext := f.typ > typeSocket
	if ext {
		f.typ -= extended
	}
	f.Mode = modeOf(f.typ) | uint32(perm)&modePerm
	f.UID, f.GID = f.r.ids[uid], f.r.ids[gid]
	f.ModTime = time.Unix(int64(mtime), 0).UTC()
	switch f.typ {
	case typeDir:
		return f.decodeDir(c, ext)
	case typeFile:
		return f.decodeFile(c, ext)
	case typeSymlink:
		if err := f.decodeSymlink(c); err != nil {
			return err
		}
	case typeBlock, typeChar:
		var dev uint32
		if err := c.fields(&f.Links, &dev); err != nil {
			return err
		}
		f.Major, f.Minor = decodeDevice(dev)
	default:
		if err := c.fields(&f.Links); err != nil {
			return err
		}
	}
	if ext {
		return c.fields(&f.xattr)
	}
	return nil
}

func (f *File) decodeSymlink(c *cursor) error {
	var size uint32
	if err := c.fields(&f.Links, &size); err != nil {
		return err
	}
	if size == 0 || size > math.MaxUint16 {
		return formatError("symbolic link to %d bytes", size)
	}
	b := make([]byte, size)
	if err := c.read(b); err != nil {
		return err
	}
	f.Target = string(b)
	return nil
}

func (f *File) decodeFile(c *cursor, ext bool) error {
	var size uint64
	var err error
	if ext {
		err = c.fields(&f.start, &size, &f.sparse, &f.Links, &f.frag, &f.fragOffset, &f.xattr)
	} else {
		var start, size32 uint32
		err = c.fields(&start, &f.frag, &f.fragOffset, &size32)
		f.start, size, f.Links = uint64(start), uint64(size32), 1
	}
	if err != nil {
		return err
	}
	if size > math.MaxInt64 {
		return formatError("file of %d bytes", size)
	}
	if f.frag != noFragment && f.frag >= f.r.sb.fragments {
		return formatError("fragment %d of %d", f.frag, f.r.sb.fragments)
	}
	f.Size, f.blocks = int64(size), *c
	return nil
}

func (f *File) decodeDir(c *cursor, ext bool) error {
	var size uint32
	var err error
	if ext {
		err = c.fields(&f.Links, &size, &f.dirStart, &f.parent, &f.indexed, &f.dirOffset, &f.xattr)
	} else {
		var size16 uint16
		err = c.fields(&f.dirStart, &f.Links, &size16, &f.dirOffset, &f.parent)
		size = uint32(size16)
	}
	if err != nil {
		return err
	}
	if size < 3 {
		return formatError("directory of %d bytes", size)
	}
	f.dirSize, f.index = uint64(size)-3, *c
	return nil
}
