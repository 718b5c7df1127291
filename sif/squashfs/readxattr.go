package squashfs

import "fmt"

const (
	xattrOutOfLine = 0x100    // in an xattr's type: the value is elsewhere
	maxXattrTotal  = 16 << 20 // bytes of values of one file; several times what any filesystem gives
)

// ReadXattrs returns the extended attributes by their full names; nil if there are none.
func (f *File) ReadXattrs() (map[string]string, error) {
	if f.xattr == noXattr || f.r.sb.xattrTable == noTable {
		return nil, nil
	}
	attrs, err := f.r.xattrs(f.xattr)
	if err != nil {
		return nil, fmt.Errorf("squashfs xattrs of %q: %w", f.Path, err)
	}
	return attrs, nil
}

func (r *Reader) xattrs(id uint32) (map[string]string, error) {
	var head, set [16]byte
	if err := r.at(head[:], r.sb.xattrTable); err != nil {
		return nil, err
	}
	if n := le.Uint32(head[8:]); id >= n {
		return nil, formatError("set %d of %d", id, n)
	}
	// The positions of the table's blocks follow its head.
	if err := r.record(set[:], r.sb.xattrTable+uint64(len(head)), uint64(id)); err != nil {
		return nil, err
	}
	c := cursor{r: r, low: le.Uint64(head[:]), high: r.sb.xattrTable}
	if err := c.seekRef(le.Uint64(set[:])); err != nil {
		return nil, err
	}
	attrs := map[string]string{}
	left := uint64(maxXattrTotal)
	for range le.Uint32(set[8:]) {
		name, value, err := readXattr(&c, &left)
		if err != nil {
			return nil, err
		}
		if _, ok := attrs[name]; ok {
			return nil, formatError("%q twice", name)
		}
		attrs[name] = value
	}
	return attrs, nil
}

// seekRef goes to a reference in the table.
func (c *cursor) seekRef(ref uint64) error {
	if ref>>48 != 0 {
		return formatError("reference %#x", ref)
	}
	return c.seek(c.low+ref>>16, int(ref&0xffff))
}

// readXattr reads one attribute; left is how many bytes of values are still allowed.
func readXattr(c *cursor, left *uint64) (name, value string, err error) {
	var typ, size uint16
	if err := c.fields(&typ, &size); err != nil {
		return "", "", err
	}
	prefix := int(typ &^ xattrOutOfLine)
	if prefix >= len(xattrPrefixes) || size == 0 || int(size) > maxXattrName {
		return "", "", formatError("xattr of type %d with a name of %d bytes", typ, size)
	}
	b := make([]byte, size)
	if err := c.read(b); err != nil {
		return "", "", err
	}
	name = xattrPrefixes[prefix] + string(b)
	from := c
	if typ&xattrOutOfLine != 0 {
		var n uint32
		var ref uint64
		if err := c.fields(&n, &ref); err != nil {
			return "", "", err
		}
		if n != 8 {
			return "", "", formatError("xattr %q: reference of %d bytes", name, n)
		}
		from = &cursor{r: c.r, low: c.low, high: c.high}
		if err := from.seekRef(ref); err != nil {
			return "", "", err
		}
	}
	var n uint32
	if err := from.fields(&n); err != nil {
		return "", "", err
	}
	if n > maxXattrValue || uint64(n) > *left {
		return "", "", formatError("xattr %q: value of %d bytes", name, n)
	}
	*left -= uint64(n)
	b = make([]byte, n)
	if err := from.read(b); err != nil {
		return "", "", err
	}
	return name, string(b), nil
}
