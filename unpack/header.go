package unpack

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"xtoo/internal/streams/packed"
)

// The block of a tar, and the fields of a header block that are looked at here; POSIX.1-2017, pax,
// "ustar Interchange Format", and tar(5) of GNU for the rest.
const (
	blockSize = 512

	fieldSize     = 124 // 12 bytes
	fieldChecksum = 148 // 8 bytes
	fieldType     = 156
	fieldMagic    = 257 // 8 bytes
	fieldSparse   = 482 // old GNU: a block with more of the sparse map follows

	sparseMore = 504 // the same, in such a block
)

// Bounds on what precedes the data of one member, in bytes. archive/tar has the first bound as well.
const (
	maxExtension = 1 << 20 // data of one extension header
	maxSparseMap = 1 << 20 // continuation blocks of an old GNU sparse header
)

// member is one member of a tar, or a global header, as it lies in the stream.
type member struct {
	hdr    *tar.Header // as archive/tar reads it
	off    int64       // in the stream, of its first header
	size   int64       // of its data in the stream, without padding
	sparse bool
	global bool
}

// padded is the space of the data in the stream.
func (m member) padded() int64 { return padTo(m.size) }

// errTrailer says that the end of the archive is reached.
var errTrailer = errors.New("end of archive")

// nextMember reads the headers of the next member: it walks the raw blocks, so as to know exactly what
// belongs to the member, and has archive/tar interpret them. The two must agree. The window is left
// with the headers undecided and its position at the member's data.
func nextMember(w *window) (member, error) {
	m := member{off: w.off()}
	ext := extensions{size: -1}
	for {
		blk, err := needBlock(w, m.off)
		if err != nil {
			return m, err
		}
		if isZero(blk) {
			if ext.any() {
				return m, damage(errCorrupt, m.off, "extension headers that belong to no member")
			}
			return m, errTrailer
		}
		if !checksumFits(blk) {
			if w.off() == 0 {
				return m, notTar(blk, packed.None)
			}
			return m, damage(errCorrupt, w.off(), "no header where the next member should begin (wrong checksum)")
		}
		size, ok := parseNumber(blk[fieldSize : fieldSize+12])
		if !ok || size < 0 {
			return m, badHeader(w.off(), errors.New("impossible size"))
		}
		kind, main := blk[fieldType], w.pos-w.head
		w.pos += blockSize
		switch kind {
		case tar.TypeXHeader, tar.TypeXGlobalHeader, tar.TypeGNULongName, tar.TypeGNULongLink:
			data, err := needExtension(w, m.off, size)
			if err != nil {
				return m, err
			}
			if err := ext.add(kind, data); err != nil {
				return m, badHeader(m.off, err)
			}
			w.pos += int(padTo(size))
			if kind != tar.TypeXGlobalHeader {
				continue
			}
			m.global = true
		case tar.TypeGNUSparse:
			if err := passSparseMap(w, m.off, blk[fieldSparse] != 0); err != nil {
				return m, err
			}
		}
		m.size = size
		return m, m.interpret(w, ext, kind, main)
	}
}

// interpret has archive/tar read the member's headers, and compares. The member's own header, after
// the extension headers, begins at main in what is undecided.
func (m *member) interpret(w *window, ext extensions, kind byte, main int) error {
	refused := func(format string, a ...any) error {
		return badHeader(m.off, fmt.Errorf(format, a...))
	}
	r := &headerReader{w: w}
	headers := w.pos - w.head
	hdr, err := tar.NewReader(r).Next()
	if err != nil && !errors.Is(err, tar.ErrInsecurePath) {
		if r.err != nil && !errors.Is(r.err, io.EOF) {
			return r.err
		}
		if r.short {
			return truncated(w, m.off)
		}
		return refused("malformed: %w", err)
	}
	m.hdr = hdr
	if m.global {
		unread := int(padTo(m.size) - m.size) // archive/tar skips the padding only when it goes on
		m.size = 0
		if r.at+unread != headers || hdr.Typeflag != tar.TypeXGlobalHeader {
			return refused("global header that can be read in two ways")
		}
		return nil
	}
	if ext.size >= 0 {
		m.size = ext.size
	}
	m.sparse = kind == tar.TypeGNUSparse || ext.sparse
	switch {
	case kind == tar.TypeGNUSparse && ext.pax:
		return refused("%q is marked sparse in the way of GNU and has pax records", hdr.Name)
	case ext.sparse && kind != tar.TypeReg && kind != 0:
		return refused("%q is marked sparse but is not a regular file", hdr.Name)
	case !m.sparse && (r.at != headers || hdr.Size != m.size):
		return refused("%q has a size that can be read in two ways", hdr.Name)
	case m.sparse && (r.at < headers || int64(r.at-headers) > m.padded()):
		return refused("%q has a sparse map that does not fit into its data", hdr.Name)
	}
	if !m.sparse {
		return nil
	}
	all := w.buf[w.head : w.head+r.at]
	if !m.sparseDataFits(kind, all[main:headers], all[headers:]) {
		return refused("%q has a sparse map that does not fit its data", hdr.Name)
	}
	return nil
}

// headerReader reads the undecided part of a window, and, for sparse maps that are kept in the data,
// beyond; the window's position stays. archive/tar reads block by block and never ahead.
type headerReader struct {
	w     *window
	at    int // of head
	err   error
	short bool // the stream ended
}

func (r *headerReader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	if r.at > 4*maxExtension+maxSparseMap { // no member has that much before its data
		r.err = badHeader(r.w.headOff(), errors.New("endless headers"))
		return 0, r.err
	}
	ahead := r.at + len(p) - (r.w.pos - r.w.head)
	if ahead > 0 {
		b, err := r.w.need(ahead)
		if err != nil {
			r.err, r.short = err, errors.Is(err, io.EOF)
			if !r.short {
				return 0, err
			}
			p = p[:len(p)-(ahead-len(b))]
		}
	}
	n := copy(p, r.w.buf[r.w.head+r.at:r.w.end])
	r.at += n
	if n == 0 && len(p) > 0 {
		return 0, io.EOF
	}
	return n, nil
}

// needBlock returns the next block. The end of the stream is an error: an archive ends with zero blocks.
func needBlock(w *window, start int64) ([]byte, error) {
	blk, err := w.need(blockSize)
	if errors.Is(err, io.EOF) {
		if w.off() == 0 {
			return nil, notTar(blk, packed.None)
		}
		if w.off() == start && len(blk) == 0 {
			return nil, damage(errTruncated, w.off(), "the end-of-archive blocks are missing")
		}
		return nil, truncated(w, start)
	}
	return blk, err
}

// needExtension returns the data of an extension header.
func needExtension(w *window, start, size int64) ([]byte, error) {
	if size > maxExtension {
		return nil, badHeader(start, fmt.Errorf("extension header of %d bytes", size))
	}
	b, err := w.need(int(padTo(size)))
	if errors.Is(err, io.EOF) {
		return nil, truncated(w, start)
	}
	if err != nil {
		return nil, err
	}
	return b[:size], nil
}

// passSparseMap passes the continuation blocks of an old GNU sparse header.
func passSparseMap(w *window, start int64, more bool) error {
	for n := 0; more; n += blockSize {
		if n >= maxSparseMap {
			return badHeader(start, errors.New("endless sparse map"))
		}
		blk, err := w.need(blockSize)
		if errors.Is(err, io.EOF) {
			return truncated(w, start)
		}
		if err != nil {
			return err
		}
		more = blk[sparseMore] != 0
		w.pos += blockSize
	}
	return nil
}

func truncated(w *window, start int64) error {
	return damage(errTruncated, w.base+int64(w.end), fmt.Sprintf("it ends within the member that begins at byte %d", start))
}

// badHeader refuses a member whose name is not known yet.
func badHeader(off int64, err error) error {
	return fmt.Errorf("tar header at byte %d %w: %w", off, errHostile, err)
}

// damage is an error of the tar stream itself.
func damage(kind error, off int64, detail string) error {
	return packed.AtByte(kind, packed.None, off, detail)
}

func padTo(n int64) int64 { return (n + blockSize - 1) &^ (blockSize - 1) }

var zeroBlock [blockSize]byte

// isZero tells whether a block holds only zeros.
func isZero(blk []byte) bool { return bytes.Equal(blk, zeroBlock[:]) }

// checksumFits verifies the checksum of a header block, as a sum of unsigned bytes or, as some old
// programs wrote it, of signed ones.
func checksumFits(blk []byte) bool {
	want, ok := parseNumber(blk[fieldChecksum : fieldChecksum+8])
	if !ok {
		return false
	}
	var unsigned, signed int64
	for i, c := range blk[:blockSize] {
		if i >= fieldChecksum && i < fieldChecksum+8 {
			c = ' '
		}
		unsigned += int64(c)
		signed += int64(int8(c))
	}
	return want == unsigned || want == signed
}

// parseNumber reads a numeric field: octal digits, or base 256 if the first bit is set.
func parseNumber(b []byte) (int64, bool) {
	if b[0]&0x80 != 0 {
		var buf [16]byte
		copy(buf[len(buf)-len(b):], b)
		first := len(buf) - len(b)
		fill := byte(0)
		buf[first] &= 0x7f
		if b[0]&0x40 != 0 { // negative, two's complement
			fill = 0xff
			buf[first] |= 0x80
		}
		for i := range first {
			buf[i] = fill
		}
		high, low := binary.BigEndian.Uint64(buf[:8]), binary.BigEndian.Uint64(buf[8:])
		switch {
		case high == 0 && low <= math.MaxInt64:
			return int64(low), true
		case high == math.MaxUint64 && low > math.MaxInt64:
			return int64(low), true
		}
		return 0, false
	}
	s := strings.Trim(string(b), " \x00")
	if i := strings.IndexByte(s, 0); i >= 0 {
		s = s[:i]
	}
	var v int64
	for _, c := range []byte(s) {
		if c < '0' || c > '7' || v > math.MaxInt64>>3 {
			return 0, false
		}
		v = v<<3 | int64(c-'0')
	}
	return v, true
}
