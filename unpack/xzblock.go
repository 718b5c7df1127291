package unpack

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"io"

	"xtoo/internal/streams/packed"
)

// Filter IDs of .xz, section 5.3, as far as anything here depends on them.
const xzFilterLZMA2 = 0x21

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
// returns the largest. Only what is needed for that is looked at; the decoder checks the rest.
func readDicts(r io.ReaderAt, blocks []xzBlock) (int64, error) {
	var largest int64
	buf := make([]byte, 1024) // the largest Block Header
	for i := range blocks {
		b := &blocks[i]
		n := min(int64(len(buf)), b.padded())
		if err := readFullAt(r, buf[:n], b.off); err != nil {
			return 0, err
		}
		dict, ok := blockDict(buf[:n])
		if !ok {
			return 0, packed.AtByte(errCorrupt, packed.XZ, b.off, "malformed block header")
		}
		b.dict = dict
		largest = max(largest, dict)
	}
	return largest, nil
}

// blockDict finds the size of the LZMA2 dictionary in a Block Header (sections 3.1 and 5.3.1).
func blockDict(h []byte) (int64, bool) {
	size := (int(h[0]) + 1) * 4
	if h[0] == 0 || size > len(h) {
		return 0, false
	}
	flags, f := h[1], h[2:size-4]
	var ok bool
	for _, present := range []byte{0x40, 0x80} { // Compressed Size, Uncompressed Size
		if flags&present != 0 {
			if _, f, ok = cutVLI(f); !ok {
				return 0, false
			}
		}
	}
	for range flags&3 + 1 {
		var id, n int64
		if id, f, ok = cutVLI(f); !ok {
			return 0, false
		}
		if n, f, ok = cutVLI(f); !ok || n > int64(len(f)) {
			return 0, false
		}
		if id == xzFilterLZMA2 {
			if n != 1 || f[0] > 40 {
				return 0, false
			}
			if f[0] == 40 {
				return 1<<32 - 1, true
			}
			return int64(2|f[0]&1) << (f[0]/2 + 11), true
		}
		f = f[n:]
	}
	return 0, true // another last filter: the decoder says that it does not know it
}
