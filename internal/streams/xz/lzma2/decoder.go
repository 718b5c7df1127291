// Package lzma2 decodes LZMA2, the compression of .xz files:
//
//	chunk ── chunk ── … ── 0        a stream; what it resets makes a chunk independent of those before
//	chunk: control byte, sizes, properties │ bits of a range coder, or bytes as they are
//
// It must not know what the stream is part of: headers, checks and filters are the business of internal/streams/xz.
//
// Almost all of the time goes into [Decoder.literal] and its like, some tens of bits for each symbol, and their cost is
// that of mispredicted branches and of variables that are not in registers. So bits are decoded without branches, where
// nothing but a number depends on them; a coder goes from function to function by value; a chunk's data is all there
// before it is decoded, with room behind it, so that reading a byte of it needs no question.
package lzma2

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"

	"xtoo/internal/streams"
)

const (
	maxIn  = 1 << 16 // packed bytes of a chunk
	maxOut = 1 << 21 // unpacked ones

	// inSlack is more than a symbol can take in (48 bits, each at most a byte): a chunk's end is checked once a symbol.
	inSlack = 64
	// outSlack is what a copy may write behind its end.
	outSlack = 16
	// align is what positions matter modulo of: 1 << the largest lp or pb.
	align = 16

	// spare is how much more than the dictionary is held at least and at most: the more, the less often the dictionary is moved to the
	// buffer's begin.
	minSpare = maxOut + outSlack + align
	maxSpare = 8 << 20
)

// Memory is what a decoder holds at most for a dictionary of that size, in bytes.
func Memory(dictionary int64) int64 {
	return dictionary + min(dictionary, maxSpare) + minSpare
}

// Decoder decodes one stream after another. [Decoder.Reset] begins each.
type Decoder struct {
	src   *bufio.Reader
	taken int64 // bytes of src
	err   error

	in    [maxIn + inSlack]byte // the chunk's packed bytes
	inEnd int

	buf   []byte // what was decoded since the last reset of the dictionary, or the last part of it
	op    int    // where decoding goes on in buf; modulo align the position that the model knows
	limit int    // where the chunk ends

	dictSize               uint
	needDict, needProps    bool
	lc, lpMask, pbMask     uint
	state                  uint
	rep0, rep1, rep2, rep3 uint // distances less one
	model                  model
}

// What is wrong with a stream; its end is io.ErrUnexpectedEOF.
var (
	errControl = errors.New("LZMA2 chunk of an unknown kind, or without what it needs")
	errProps   = errors.New("LZMA2 properties out of range")
	errBits    = errors.New("LZMA2 chunk does not decode")
)

// Reset begins to decode the stream at src, with a dictionary of that many bytes. The caller has bounded it: the buffer
// grows to [Memory] of it as the data needs.
func (d *Decoder) Reset(src *bufio.Reader, dictionary uint32) {
	d.src, d.dictSize = src, uint(dictionary)
	d.taken, d.err, d.op = 0, nil, 0
	d.needDict, d.needProps = true, true
}

// Taken is how many bytes of the source belong to what was decoded.
func (d *Decoder) Taken() int64 { return d.taken }

// Next decodes a chunk. The slice is the decoder's, and good until the next call. After the last chunk it returns io.EOF;
// the source then stands behind the stream.
func (d *Decoder) Next() ([]byte, error) {
	if d.err != nil {
		return nil, d.err
	}
	var data []byte
	data, d.err = d.next()
	return data, d.err
}

func (d *Decoder) next() ([]byte, error) {
	control, err := d.src.ReadByte()
	if err != nil {
		return nil, streams.NoEOF(err)
	}
	d.taken++
	switch {
	case control == 0:
		return nil, io.EOF
	case control >= 0xe0 || control == 1:
		d.needDict, d.needProps, d.op = false, true, 0
	case d.needDict:
		return nil, errControl
	}
	var from int
	if control < 0x80 {
		from, err = d.plain(control)
	} else {
		from, err = d.packed(control)
	}
	return d.buf[from:d.op], err
}

// plain reads a chunk of bytes that are not packed, and returns where it begins.
func (d *Decoder) plain(control byte) (int, error) {
	if control > 2 {
		return d.op, errControl
	}
	var head [2]byte
	if err := d.read(head[:]); err != nil {
		return d.op, err
	}
	n := int(binary.BigEndian.Uint16(head[:])) + 1
	d.room(n)
	from := d.op
	if err := d.read(d.buf[from : from+n]); err != nil {
		return from, err
	}
	d.op += n
	return from, nil
}

// packed decodes a chunk of bits, and returns where it begins.
func (d *Decoder) packed(control byte) (int, error) {
	var head [4]byte
	if err := d.read(head[:]); err != nil {
		return d.op, err
	}
	n := int(control&0x1f)<<16 + int(binary.BigEndian.Uint16(head[:])) + 1
	d.inEnd = int(binary.BigEndian.Uint16(head[2:])) + 1
	if control >= 0xc0 {
		if err := d.readProps(); err != nil {
			return d.op, err
		}
	}
	if d.needProps {
		return d.op, errControl
	}
	if control >= 0xa0 {
		d.state, d.rep0, d.rep1, d.rep2, d.rep3 = 0, 0, 0, 0, 0
		d.model.reset()
	}
	if err := d.read(d.in[:d.inEnd]); err != nil {
		return d.op, err
	}
	d.room(n)
	from := d.op
	return from, d.decode(from + n)
}

// readProps reads the byte of properties: how many bits of what the probabilities depend on.
func (d *Decoder) readProps() error {
	var b [1]byte
	if err := d.read(b[:]); err != nil {
		return err
	}
	p := uint(b[0])
	lc, lp, pb := p%9, p/9%5, p/45
	if pb > 4 || lc+lp > 4 {
		return errProps
	}
	d.lc, d.lpMask, d.pbMask, d.needProps = lc, 1<<lp-1, 1<<pb-1, false
	return nil
}

func (d *Decoder) read(p []byte) error {
	n, err := io.ReadFull(d.src, p)
	d.taken += int64(n)
	return streams.NoEOF(err)
}

// room makes room for n more bytes: it moves the dictionary to the buffer's begin where Memory would be exceeded, and makes
// the buffer larger where it is too small.
func (d *Decoder) room(n int) {
	most := int(Memory(int64(d.dictSize)))
	if d.op+n+outSlack > most {
		drop := (d.op - int(d.dictSize)) &^ (align - 1)
		copy(d.buf, d.buf[drop:d.op])
		d.op -= drop
	}
	if need := d.op + n + outSlack; need > len(d.buf) {
		larger := newBuffer(min(most, max(need, 2*len(d.buf))))
		copy(larger, d.buf[:d.op])
		d.buf = larger
	}
}
