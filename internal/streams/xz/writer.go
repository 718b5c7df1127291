package xz

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"hash/crc64"
	"io"

	"xtoo/internal/streams"
	"xtoo/internal/streams/xz/lzma2"
)

// What a [Writer] writes. All of it is part of the format: with others the same stream has other bytes.
const (
	// writeBlock is how much is packed at a time, in bytes, and the size of the dictionary: whoever reads the file needs no
	// more, and may read its blocks side by side.
	writeBlock = 8 << 20
	// writeDictionary is that size as section 5.3.1 has it.
	writeDictionary = 22
	writeCheck      = 0x04 // CRC64
)

// maxJobs is how many blocks are in work at most: each takes some 45 MB.
const maxJobs = 5

// A Writer packs a stream into a file that has the sizes of its blocks in their headers and an index at its end.
type Writer struct {
	blocks  streams.Blocks
	w       io.Writer
	records []byte // of the index
	count   uint64
	begun   bool
	closed  bool
}

// NewWriter packs to w on up to jobs cores, at least one; the bytes do not depend on jobs. The caller closes it, which
// ends the file and does not close w.
func NewWriter(w io.Writer, jobs int) *Writer { return newWriter(w, jobs, writeBlock) }

func newWriter(w io.Writer, jobs, size int) *Writer {
	z := &Writer{w: w}
	z.blocks = streams.Blocks{
		W: blockWriter{z}, Size: size, Jobs: min(max(1, jobs), maxJobs),
		NewPacker: func() (streams.Packer, error) { return &packer{}, nil },
	}
	return z
}

// Write takes the next bytes.
func (z *Writer) Write(p []byte) (int, error) { return z.blocks.Write(p) }

// Close ends the file. Only the first call does something.
func (z *Writer) Close() error {
	if z.closed {
		return nil
	}
	z.closed = true
	err := z.blocks.Close()
	if err == nil {
		err = z.begin()
	}
	if err != nil {
		return err
	}
	index := append([]byte{0}, appendVLI(nil, z.count)...)
	index = append(index, z.records...)
	index = append(index, make([]byte, -len(index)&3)...)
	index = binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(index))
	footer := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4-1))
	footer = append(footer, 0, writeCheck)
	end := binary.LittleEndian.AppendUint32(index, crc32.ChecksumIEEE(footer))
	end = append(append(end, footer...), "YZ"...)
	_, err = z.w.Write(end)
	return err
}

// Abort ends a file that is not wanted any more, without waiting for what is in work. After Close it does nothing.
func (z *Writer) Abort() {
	z.closed = true
	z.blocks.Abort()
}

// begin writes the header of the stream, section 2.1.1.
func (z *Writer) begin() error {
	if z.begun {
		return nil
	}
	z.begun = true
	head := append([]byte("\xfd7zXZ\x00"), 0, writeCheck)
	_, err := z.w.Write(binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(head[6:])))
	return err
}

// blockWriter takes the blocks of a file, one with each Write, and keeps the records of the index.
type blockWriter struct{ z *Writer }

func (b blockWriter) Write(p []byte) (int, error) {
	if err := b.z.begin(); err != nil {
		return 0, err
	}
	size := (int(p[0]) + 1) * 4
	h, err := parseHeader(p[:size])
	if err != nil {
		return 0, err
	}
	b.z.records = appendVLI(b.z.records, uint64(int64(size)+h.packed+crc64.Size))
	b.z.records = appendVLI(b.z.records, uint64(h.unpacked))
	b.z.count++
	return b.z.w.Write(p)
}

// appendVLI appends a number of variable length, section 1.2.
func appendVLI(dst []byte, n uint64) []byte { return binary.AppendUvarint(dst, n) }

// A packer packs blocks.
type packer struct {
	lzma lzma2.Encoder
	data []byte
}

// Pack writes a block, section 3.
func (p *packer) Pack(out *bytes.Buffer, block []byte) error {
	p.data = p.lzma.Encode(p.data[:0], block)
	head := []byte{0, 0xc0} // one filter; both sizes
	head = appendVLI(appendVLI(head, uint64(len(p.data))), uint64(len(block)))
	head = append(head, 0x21, 1, writeDictionary)
	head = append(head, make([]byte, -len(head)&3)...)
	head[0] = byte(len(head) / 4)
	head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(head))
	out.Write(head)
	out.Write(p.data)
	out.Write(make([]byte, -len(p.data)&3))
	_, err := out.Write(binary.LittleEndian.AppendUint64(nil, crc64.Checksum(block, crc64.MakeTable(crc64.ECMA))))
	return err
}
