package xz

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"

	"xtoo/internal/streams"
)

// block is what of a block is not yet decoded.
type block struct {
	header header
	size   int64 // of the header
	data   source
	lzma   interface{ Taken() int64 }
	given  int64 // decoded bytes
}

// A source gives decoded data piece by piece; a piece is good until the next call. After the last comes io.EOF.
type source interface{ Next() ([]byte, error) }

// header is a Block Header, section 3.1.
type header struct {
	packed, unpacked int64 // -1: not said
	dictionary       int64
	filters          []filterFlags // without LZMA2, which is the last
}

type filterFlags struct {
	id    int64
	props []byte
}

// beginBlock reads a block's header, of which the first byte is read already.
func (z *Reader) beginBlock(first byte) error {
	h := make([]byte, (int(first)+1)*4)
	h[0] = first
	if err := z.readFull(h[1:]); err != nil {
		return err
	}
	head, err := parseHeader(h)
	if err != nil {
		return err
	}
	if head.dictionary > z.limit {
		return &DictionaryError{head.dictionary}
	}
	z.lzma.Reset(z.src, uint32(head.dictionary))
	z.block = block{header: head, size: int64(len(h)), lzma: &z.lzma, data: &z.lzma}
	for i := len(head.filters) - 1; i >= 0; i-- {
		f, err := newFilter(head.filters[i])
		if err != nil {
			return err
		}
		z.block.data = &filtered{from: z.block.data, filter: f}
	}
	z.check.reset()
	z.step = (*Reader).inBlock
	return nil
}

// next decodes a piece; io.EOF says that the data has ended as the header has it.
func (b *block) next() ([]byte, error) {
	data, err := b.data.Next()
	b.given += int64(len(data))
	over := func(n, said int64) bool { return said >= 0 && (n > said || n < said && errors.Is(err, io.EOF)) }
	if over(b.given, b.header.unpacked) || over(b.lzma.Taken(), b.header.packed) {
		return data, errors.New("a block's size is not the one in its header")
	}
	return data, err
}

// blockEnd reads the padding and the check, sections 3.3 and 3.4.
func (z *Reader) blockEnd() error {
	taken := z.block.lzma.Taken()
	var padding [3]byte
	p := padding[:-taken&3]
	if err := z.readFull(p); err != nil {
		return err
	}
	if padding != [3]byte{} {
		return errors.New("wrong padding of a block")
	}
	if err := z.check.verify(z.src); err != nil {
		return err
	}
	z.seen.add(z.block.size+taken+int64(z.check.size), z.block.given)
	z.step = (*Reader).blockOrIndex
	return nil
}

// Dictionary returns the size of the dictionary that a block needs, in bytes, from what it begins with, of which only the Block
// Header matters.
func Dictionary(block []byte) (int64, error) {
	if len(block) == 0 || block[0] == 0 || (int(block[0])+1)*4 > len(block) {
		return 0, errors.New("no block header")
	}
	h, err := parseHeader(block[:(int(block[0])+1)*4])
	return h.dictionary, err
}

// MaxHeader is the size of the largest Block Header, in bytes.
const MaxHeader = 1024

// parseHeader takes a header of the size that its first byte says.
func parseHeader(h []byte) (header, error) {
	head := header{packed: -1, unpacked: -1}
	body, sum := h[:len(h)-4], h[len(h)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return head, errors.New("wrong checksum of a block's header")
	}
	flags, rest := body[1], body[2:]
	if flags&0x3c != 0 {
		return head, ErrOptions
	}
	var ok bool
	if flags&0x40 != 0 {
		if head.packed, rest, ok = CutVLI(rest); !ok || head.packed == 0 {
			return head, errors.New("impossible packed size in a block's header")
		}
	}
	if flags&0x80 != 0 {
		if head.unpacked, rest, ok = CutVLI(rest); !ok {
			return head, errors.New("impossible size in a block's header")
		}
	}
	for range flags&3 + 1 {
		var f filterFlags
		var n int64
		if f.id, rest, ok = CutVLI(rest); ok {
			n, rest, ok = CutVLI(rest)
		}
		if !ok || n > int64(len(rest)) {
			return head, errors.New("impossible filter in a block's header")
		}
		f.props, rest = rest[:n], rest[n:]
		head.filters = append(head.filters, f)
	}
	if len(bytes.TrimLeft(rest, "\x00")) != 0 {
		return head, ErrOptions
	}
	last := head.filters[len(head.filters)-1]
	head.filters = head.filters[:len(head.filters)-1]
	if last.id != idLZMA2 || len(last.props) != 1 || last.props[0] > 40 {
		return head, ErrOptions
	}
	head.dictionary = dictionary(last.props[0])
	return head, nil
}

// dictionary is the size that LZMA2's properties stand for, section 5.3.1.
func dictionary(b byte) int64 {
	if b == 40 {
		return math.MaxUint32
	}
	return int64(2|b&1) << (b/2 + 11)
}

// CutVLI takes a multibyte integer (section 1.2) off the front of b. Encodings longer than needed are
// refused, as the specification wants.
func CutVLI(b []byte) (v int64, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 9; i++ {
		v |= int64(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return v, b[i+1:], i == 0 || b[i] != 0
		}
	}
	return 0, nil, false
}

// readVLI reads one, and adds its bytes to what was read.
func readVLI(r *bufio.Reader, read []byte) (int64, []byte, error) {
	from := len(read)
	for {
		b, err := r.ReadByte()
		if err != nil {
			return 0, read, streams.NoEOF(err)
		}
		read = append(read, b)
		if b&0x80 == 0 || len(read)-from == 9 {
			break
		}
	}
	v, _, ok := CutVLI(read[from:])
	if !ok {
		return 0, read, errors.New("impossible number in the index")
	}
	return v, read, nil
}
