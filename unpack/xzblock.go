package unpack

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"xtoo/internal/streams/packed"
	"xtoo/internal/streams/xz"
)

// stream returns the block dressed up as an .xz stream of its own: a stream header, the block as it
// lies in the file, an index of one record taken from the file's index, and a footer. A decoder that
// reads it to the end thereby verifies the block's check and that its sizes are those of the index.
func (b xzBlock) stream(r io.ReaderAt) io.Reader {
	head := append(make([]byte, 0, xzHeaderSize), xzMagic...)
	head = append(head, b.flags[:]...)
	head = binary.LittleEndian.AppendUint32(head, crc32.ChecksumIEEE(b.flags[:]))

	tail := appendVLI([]byte{0, 1}, b.unpadded)
	tail = appendVLI(tail, b.size)
	for len(tail)%4 != 0 {
		tail = append(tail, 0)
	}
	tail = binary.LittleEndian.AppendUint32(tail, crc32.ChecksumIEEE(tail))
	foot := binary.LittleEndian.AppendUint32(nil, uint32(len(tail)/4-1))
	foot = append(foot, b.flags[:]...)
	tail = binary.LittleEndian.AppendUint32(tail, crc32.ChecksumIEEE(foot))
	tail = append(append(tail, foot...), xzFooter...)

	return io.MultiReader(bytes.NewReader(head), io.NewSectionReader(r, b.off, b.padded()), bytes.NewReader(tail))
}

// readDicts fills in the dictionary size of every block from its Block Header (section 3.1), and
// returns the largest.
func readDicts(r io.ReaderAt, blocks []xzBlock) (int64, error) {
	var largest int64
	buf := make([]byte, xz.MaxHeader)
	for i := range blocks {
		b := &blocks[i]
		n := min(int64(len(buf)), b.padded())
		if err := readFullAt(r, buf[:n], b.off); err != nil {
			return 0, err
		}
		dict, err := xz.Dictionary(buf[:n])
		if known := packed.XZUnsupported(err); known != nil {
			return 0, known
		}
		if err != nil {
			return 0, packed.AtByte(errCorrupt, packed.XZ, b.off, err.Error())
		}
		b.dict = dict
		largest = max(largest, dict)
	}
	return largest, nil
}
