package squashfs

import (
	"fmt"
	"io"
)

// Data returns the content of a regular file, Size bytes; of anything else, nothing. Several may be open
// at once.
func (f *File) Data() io.Reader {
	return &dataReader{f: f, blocks: f.blocks, pos: f.start, left: uint64(f.Size)}
}

type dataReader struct {
	f      *File
	blocks cursor
	pos    uint64 // of the next block on disk
	left   uint64 // bytes of the file that are not in data yet
	data   []byte // not yet given out
	buf    []byte
	err    error
}

func (d *dataReader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(d.data) == 0 && d.err == nil {
		if d.left == 0 {
			return 0, io.EOF
		}
		if d.data, d.err = d.next(); d.err != nil {
			d.err = fmt.Errorf("squashfs file %q: %w", d.f.Path, d.err)
		}
	}
	if d.err != nil {
		return 0, d.err
	}
	n := copy(p, d.data)
	d.data = d.data[n:]
	return n, nil
}

// next returns the next block of the file.
func (d *dataReader) next() ([]byte, error) {
	r := d.f.r
	want := min(d.left, uint64(r.sb.blockSize))
	d.left -= want
	if want < uint64(r.sb.blockSize) && d.f.frag != noFragment {
		return d.tail(int(want))
	}
	if cap(d.buf) < int(want) {
		d.buf = make([]byte, want)
	}
	var size uint32
	if err := d.blocks.fields(&size); err != nil {
		return nil, err
	}
	if size == 0 {
		clear(d.buf[:want])
		return d.buf[:want], nil
	}
	data, err := r.dataBlock(d.buf[:0], d.pos, size)
	if err != nil {
		return nil, err
	}
	if uint64(len(data)) != want {
		return nil, formatError("block of %d bytes at %d, not %d", len(data), d.pos, want)
	}
	d.pos += uint64(size &^ dataRaw)
	return data, nil
}

// dataBlock reads the data or fragment block at pos that has a size word.
func (r *Reader) dataBlock(dst []byte, pos uint64, size uint32) ([]byte, error) {
	n := size &^ dataRaw
	if n == 0 || n > r.sb.blockSize || pos < superblockSize || pos+uint64(n) > r.sb.inodeTable || pos > r.sb.inodeTable {
		return nil, formatError("data block of %d bytes at %d", n, pos)
	}
	return r.block(dst, pos, n, size&dataRaw != 0)
}

// tail returns the end of a file that is in a fragment block.
func (d *dataReader) tail(want int) ([]byte, error) {
	r, f := d.f.r, d.f
	if r.fragID != f.frag {
		var b [16]byte
		if err := r.record(b[:], r.sb.fragmentTable, uint64(f.frag)); err != nil {
			return nil, err
		}
		// What was read from the old block may still be in use: it is not written over.
		data, err := r.dataBlock(make([]byte, 0, r.sb.blockSize), le.Uint64(b[:]), le.Uint32(b[8:]))
		if err != nil {
			return nil, err
		}
		r.frag, r.fragID = data, f.frag
	}
	if uint64(f.fragOffset)+uint64(want) > uint64(len(r.frag)) {
		return nil, formatError("%d bytes at %d of a fragment block of %d", want, f.fragOffset, len(r.frag))
	}
	return r.frag[f.fragOffset:][:want], nil
}
