package squashfs

import (
	"fmt"
	"io"
)

// metadata cuts what is written to it into metadata blocks ("3.2 ... metadata blocks").
type metadata struct {
	w   io.Writer
	c   compressor
	pos uint64 // bytes written to w
	buf []byte // of the block that is being filled
	tmp []byte
}

func newMetadata(w io.Writer, c compressor) *metadata {
	return &metadata{w: w, c: c, buf: make([]byte, 0, metadataSize), tmp: make([]byte, metadataSize)}
}

// ref is the reference to what is written next.
func (m *metadata) ref() uint64 { return m.pos<<16 | uint64(len(m.buf)) }

func (m *metadata) Write(p []byte) (int, error) {
	n := len(p)
	for len(p) > 0 {
		k := min(len(p), metadataSize-len(m.buf))
		m.buf = append(m.buf, p[:k]...)
		p = p[k:]
		// A full block goes out at once: a reference never points behind the end of a block.
		if len(m.buf) == metadataSize {
			if err := m.flush(); err != nil {
				return 0, err
			}
		}
	}
	return n, nil
}

// flush ends the block that is being filled.
func (m *metadata) flush() error {
	if len(m.buf) == 0 {
		return nil
	}
	out, err := m.c.compress(m.tmp, m.buf)
	if err != nil {
		return err
	}
	size := uint16(len(out))
	if out == nil {
		out, size = m.buf, uint16(len(m.buf))|metadataRaw
	}
	if _, err := m.w.Write(le.AppendUint16(nil, size)); err != nil {
		return err
	}
	if _, err := m.w.Write(out); err != nil {
		return err
	}
	m.pos += 2 + uint64(len(out))
	m.buf = m.buf[:0]
	return nil
}

// writeTable writes n records as metadata blocks, then head, then the positions of the blocks. It
// returns the position of head, which is where the table is said to start.
func writeTable(a *appender, c compressor, n, recordSize int, record func(b []byte, i int) []byte, head []byte) (uint64, error) {
	m := newMetadata(a, c)
	base := a.pos
	var starts, buf []byte
	for i := range n {
		// Record sizes divide the size of a block, so a block starts with a whole record.
		if len(m.buf) == 0 {
			starts = le.AppendUint64(starts, base+m.pos)
		}
		if buf = record(buf[:0], i); len(buf) != recordSize {
			return 0, fmt.Errorf("squashfs table record of %d bytes, not %d", len(buf), recordSize)
		}
		if _, err := m.Write(buf); err != nil {
			return 0, err
		}
	}
	if err := m.flush(); err != nil {
		return 0, err
	}
	start := a.pos
	if _, err := a.Write(append(head, starts...)); err != nil {
		return 0, err
	}
	return start, nil
}
