package xz

import (
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"

	"xtoo/internal/streams"
)

// Section 2.1: headers and footers.
const (
	headerSize  = 12
	headerMagic = "\xfd7zXZ\x00"
	footerMagic = "YZ"
)

// streamHeader reads section 2.1.1.
func (z *Reader) streamHeader() error {
	var h [headerSize]byte
	if err := z.readFull(h[:]); err != nil {
		return err
	}
	flags := h[6:8]
	switch {
	case string(h[:6]) != headerMagic && z.streams == 0:
		return errors.New("no xz stream")
	case string(h[:6]) != headerMagic:
		return errors.New("something other than an xz stream follows the first")
	case crc32.ChecksumIEEE(flags) != binary.LittleEndian.Uint32(h[8:]):
		return errors.New("wrong checksum of the stream's header")
	}
	z.streams++
	z.flags, z.seen = [2]byte(flags), records{}
	if flags[0] != 0 || flags[1]&0xf0 != 0 {
		return ErrOptions
	}
	z.step = (*Reader).blockOrIndex
	var err error
	z.check, err = newCheck(flags[1])
	return err
}

// blockOrIndex begins a block, or reads the index and what follows it.
func (z *Reader) blockOrIndex() error {
	b, err := z.src.ReadByte()
	switch {
	case err != nil:
		return streams.NoEOF(err)
	case b != 0:
		return z.beginBlock(b)
	}
	size, err := z.index()
	if err != nil {
		return err
	}
	return z.streamFooter(size)
}

// streamFooter reads section 2.1.2; indexSize is the size of the index before it, in bytes.
func (z *Reader) streamFooter(indexSize int64) error {
	var f [headerSize]byte
	if err := z.readFull(f[:]); err != nil {
		return err
	}
	switch {
	case string(f[10:]) != footerMagic:
		return errors.New("no stream footer behind the index")
	case crc32.ChecksumIEEE(f[4:10]) != binary.LittleEndian.Uint32(f[:]):
		return errors.New("wrong checksum of the stream's footer")
	case (int64(binary.LittleEndian.Uint32(f[4:]))+1)*4 != indexSize:
		return errors.New("the stream's footer has another size of the index")
	case [2]byte(f[8:]) != z.flags:
		return errors.New("the stream's header and footer differ")
	}
	z.step = (*Reader).streamPadding
	return nil
}

// streamPadding reads section 2.2, up to the next stream or the end.
func (z *Reader) streamPadding() error {
	for n := 0; ; n++ {
		b, err := z.src.ReadByte()
		switch {
		case err != nil && !errors.Is(err, io.EOF):
			return err
		case err == nil && b == 0:
			continue
		case n%4 != 0:
			return errors.New("the stream padding is no multiple of four bytes")
		case err != nil:
			return io.EOF
		}
		z.step = (*Reader).streamHeader
		return z.src.UnreadByte()
	}
}

func (z *Reader) readFull(p []byte) error {
	_, err := io.ReadFull(z.src, p)
	return streams.NoEOF(err)
}
