package squashfs

// metaCache remembers the metadata blocks that were read last.
type metaCache struct {
	blocks [64]metaBlock
}

type metaBlock struct {
	pos, next uint64 // its own position and that of the block behind it
	data      []byte // uncompressed; nil: nothing here
}

// metadataBlock reads the metadata block at pos. The caller has checked nothing.
func (r *Reader) metadataBlock(pos uint64) (*metaBlock, error) {
	// Positions are hashed to slots: no search, and a walk in order still hits.
	slot := &r.cache.blocks[(pos*0x9E3779B97F4A7C15)>>58]
	if slot.data != nil && slot.pos == pos {
		return slot, nil
	}
	var b [2]byte
	if err := r.at(b[:], pos); err != nil {
		return nil, err
	}
	size := le.Uint16(b[:])
	n := size &^ metadataRaw
	if n == 0 || n > metadataSize {
		return nil, formatError("metadata block of %d bytes at %d", n, pos)
	}
	// A cursor may still look at what was in the slot: that memory is not used again.
	data, err := r.block(make([]byte, 0, metadataSize), pos+2, uint32(n), size&metadataRaw != 0)
	if err != nil {
		return nil, err
	}
	if len(data) == 0 {
		return nil, formatError("empty metadata block at %d", pos)
	}
	*slot = metaBlock{pos: pos, next: pos + 2 + uint64(n), data: data}
	return slot, nil
}

// cursor reads on through the metadata blocks of a table that lies from low to high.
type cursor struct {
	r         *Reader
	low, high uint64
	data      []byte // of the current block, from where the cursor is
	next      uint64 // position of the next block
}

// seek goes to offset in the block at pos.
func (c *cursor) seek(pos uint64, offset int) error {
	if pos < c.low || pos >= c.high {
		return formatError("metadata block at %d, not from %d to %d", pos, c.low, c.high)
	}
	b, err := c.r.metadataBlock(pos)
	if err != nil {
		return err
	}
	if offset >= len(b.data) {
		return formatError("offset %d in a metadata block of %d bytes", offset, len(b.data))
	}
	c.data, c.next = b.data[offset:], b.next
	return nil
}

func (c *cursor) read(p []byte) error {
	for len(p) > 0 {
		if len(c.data) == 0 {
			if err := c.seek(c.next, 0); err != nil {
				return err
			}
		}
		n := copy(p, c.data)
		c.data, p = c.data[n:], p[n:]
	}
	return nil
}
