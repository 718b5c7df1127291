package unpack

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"io"
	"math"

	"xtoo/internal/streams/packed"
	"xtoo/internal/streams/xz"
)

// Sizes and magics of the .xz container, https://tukaani.org/xz/xz-file-format.txt sections 2 to 4.
const (
	xzHeaderSize = 12 // Stream Header, and Stream Footer as well
	xzMagic      = "\xfd7zXZ\x00"
	xzFooter     = "YZ"
	xzMaxVLI     = math.MaxInt64 // a multibyte integer has at most 63 bits
	xzMinBlock   = 5             // the smallest Unpadded Size
)

// Bounds on what the index of a file may make this package hold in memory. A file beyond them is
// decoded from front to back instead, which needs no index.
const (
	xzMaxBlocks  = 1 << 16
	xzMaxStreams = 1 << 12
	xzMaxIndex   = xzMaxBlocks*18 + 64 // two integers of at most nine bytes each a block
)

// errXZComplex says that a file is beyond the bounds above: not wrong, but to be read sequentially.
var errXZComplex = errors.New("xz file has too many blocks or streams to decode them side by side")

// xzBlock is one block of an .xz file: a record of an index (section 4.3), and where the block lies.
type xzBlock struct {
	off      int64   // of the Block Header in the file
	unpadded int64   // header, compressed data and check, without padding
	size     int64   // uncompressed
	flags    [2]byte // Stream Flags of the stream that the block belongs to
	dict     int64   // LZMA2 dictionary, filled in by readDicts
}

// padded is the space that the block takes in the file.
func (b xzBlock) padded() int64 { return (b.unpadded + 3) &^ 3 }

// readXZIndex finds all blocks of an .xz file, of every concatenated stream (section 2), in order. It
// reads from the end: stream padding, footer, index, and then the stream's header, whose place follows
// from the sizes in the index. Everything is checked against everything else, so that the blocks
// returned lie in the file side by side and fill their streams exactly.
func readXZIndex(r io.ReaderAt, size int64) ([]xzBlock, error) {
	if size == 0 {
		return nil, packed.AtByte(errTruncated, packed.XZ, 0, "nothing there")
	}
	var streams [][]xzBlock
	total := 0
	for pos := size; pos > 0; {
		end, err := skipXZPadding(r, pos)
		if err != nil {
			return nil, err
		}
		blocks, start, err := readXZStream(r, end)
		if err != nil {
			return nil, err
		}
		if total += len(blocks); total > xzMaxBlocks || len(streams) == xzMaxStreams {
			return nil, errXZComplex
		}
		streams = append(streams, blocks)
		pos = start
	}
	all := make([]xzBlock, 0, total)
	for i := len(streams) - 1; i >= 0; i-- {
		all = append(all, streams[i]...)
	}
	return all, nil
}

// skipXZPadding returns where the last stream before pos ends: stream padding (section 2.2) is a
// multiple of four zero bytes.
func skipXZPadding(r io.ReaderAt, pos int64) (int64, error) {
	buf := make([]byte, 4096)
	end := pos
	for end > 0 {
		b := buf[:min(int64(len(buf)), end)]
		if err := readFullAt(r, b, end-int64(len(b))); err != nil {
			return 0, err
		}
		rest := bytes.TrimRight(b, "\x00")
		end -= int64(len(b) - len(rest))
		if len(rest) > 0 {
			break
		}
	}
	if end == 0 {
		return 0, packed.AtByte(errCorrupt, packed.XZ, 0, "only stream padding, no stream")
	}
	if (pos-end)%4 != 0 {
		return 0, packed.AtByte(errTruncated, packed.XZ, pos, "the stream padding is no multiple of four bytes")
	}
	return end, nil
}

// readXZStream reads the index of the stream that ends at end, and returns its blocks and its start.
func readXZStream(r io.ReaderAt, end int64) ([]xzBlock, int64, error) {
	const tooShort = "no room for a complete xz stream"
	if end < 2*xzHeaderSize+8 {
		return nil, 0, packed.AtByte(errTruncated, packed.XZ, end, tooShort)
	}
	// Stream Footer, section 2.1.2: CRC32, Backward Size, Stream Flags, magic.
	var foot [xzHeaderSize]byte
	if err := readFullAt(r, foot[:], end-xzHeaderSize); err != nil {
		return nil, 0, err
	}
	if string(foot[10:]) != xzFooter {
		return nil, 0, packed.AtByte(errTruncated, packed.XZ, end,
			"no xz footer there: the file is incomplete, or something was appended to it")
	}
	if crc32.ChecksumIEEE(foot[4:10]) != binary.LittleEndian.Uint32(foot[:]) {
		return nil, 0, packed.AtByte(errCorrupt, packed.XZ, end-xzHeaderSize, "wrong checksum of the stream footer")
	}
	indexSize := (int64(binary.LittleEndian.Uint32(foot[4:])) + 1) * 4
	indexOff := end - xzHeaderSize - indexSize
	if indexOff < xzHeaderSize {
		return nil, 0, packed.AtByte(errCorrupt, packed.XZ, end-xzHeaderSize, "the index is said to be larger than the file")
	}
	if indexSize > xzMaxIndex {
		return nil, 0, errXZComplex
	}
	index := make([]byte, indexSize)
	if err := readFullAt(r, index, indexOff); err != nil {
		return nil, 0, err
	}
	flags := [2]byte{foot[8], foot[9]}
	blocks, span, err := parseXZIndex(index, indexOff, flags)
	if err != nil {
		return nil, 0, err
	}
	start := indexOff - span - xzHeaderSize
	if start < 0 {
		return nil, 0, packed.AtByte(errCorrupt, packed.XZ, indexOff, "the blocks are said to be larger than the file")
	}
	// Stream Header, section 2.1.1: magic, Stream Flags, CRC32.
	var head [xzHeaderSize]byte
	if err := readFullAt(r, head[:], start); err != nil {
		return nil, 0, err
	}
	if string(head[:6]) != xzMagic || crc32.ChecksumIEEE(head[6:8]) != binary.LittleEndian.Uint32(head[8:]) {
		return nil, 0, packed.AtByte(errCorrupt, packed.XZ, start, "no stream header where the index says there is one")
	}
	if head[6] != flags[0] || head[7] != flags[1] {
		return nil, 0, packed.AtByte(errCorrupt, packed.XZ, start, "the stream's header and footer differ")
	}
	off := start + xzHeaderSize
	for i := range blocks {
		blocks[i].off = off
		off += blocks[i].padded()
	}
	return blocks, start, nil
}

// parseXZIndex reads an Index (section 4): indicator, number of records, records, padding, CRC32. It
// returns the records and the space that the blocks take together. off is for messages.
func parseXZIndex(index []byte, off int64, flags [2]byte) ([]xzBlock, int64, error) {
	bad := func(what string) ([]xzBlock, int64, error) {
		return nil, 0, packed.AtByte(errCorrupt, packed.XZ, off, what)
	}
	if len(index) < 8 {
		return bad("the index is too short")
	}
	body, sum := index[:len(index)-4], index[len(index)-4:]
	if crc32.ChecksumIEEE(body) != binary.LittleEndian.Uint32(sum) {
		return bad("wrong checksum of the index")
	}
	if body[0] != 0 {
		return bad("no index indicator")
	}
	body = body[1:]
	count, body, ok := xz.CutVLI(body)
	if !ok || count > int64(len(body)/2) { // a record has at least two bytes
		return bad("the index has an impossible number of records")
	}
	if count > xzMaxBlocks {
		return nil, 0, errXZComplex
	}
	blocks := make([]xzBlock, 0, count)
	var span, size int64
	for range count {
		b := xzBlock{flags: flags}
		if b.unpadded, body, ok = xz.CutVLI(body); !ok || b.unpadded < xzMinBlock || b.unpadded > xzMaxVLI-3 {
			return bad("a record of the index has an impossible size")
		}
		if b.size, body, ok = xz.CutVLI(body); !ok {
			return bad("a record of the index has an impossible uncompressed size")
		}
		if span > xzMaxVLI-b.padded() || size > xzMaxVLI-b.size {
			return bad("the sizes in the index overflow")
		}
		span, size = span+b.padded(), size+b.size
		blocks = append(blocks, b)
	}
	if len(body) > 3 || len(bytes.TrimLeft(body, "\x00")) != 0 {
		return bad("wrong padding of the index")
	}
	return blocks, span, nil
}

// appendVLI appends v as a multibyte integer (section 1.2).
func appendVLI(b []byte, v int64) []byte { return binary.AppendUvarint(b, uint64(v)) }

// readFullAt fills b from off. The callers have checked that the file is long enough, so an early end
// means that it became shorter.
func readFullAt(r io.ReaderAt, b []byte, off int64) error {
	n, err := r.ReadAt(b, off)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return packed.AtByte(errTruncated, packed.XZ, off+int64(n), "the file became shorter while it was read")
	}
	return err
}
