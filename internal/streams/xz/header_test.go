package xz

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"testing"

	ulikunitz "github.com/ulikunitz/xz"
)

// blockHeader gives a header its size and checksum.
func blockHeader(body ...byte) []byte {
	h := append([]byte{0}, body...)
	for len(h)%4 != 0 {
		h = append(h, 0)
	}
	h[0] = byte(len(h) / 4)
	return binary.LittleEndian.AppendUint32(h, crc32.ChecksumIEEE(h))
}

func TestDictionary(t *testing.T) {
	for b, want := range map[byte]int64{0: 4096, 1: 6144, 22: 8 << 20, 39: 3 << 30, 40: 1<<32 - 1} {
		h := blockHeader(0, 0x21, 1, b)
		if got, err := Dictionary(append(h, "data"...)); got != want || err != nil {
			t.Errorf("%d: %d, %v", b, got, err)
		}
	}
	if got, err := Dictionary(blockHeader(0xc2, 5, 7, 0x03, 1, 3, 0x04, 4, 1, 2, 3, 4, 0x21, 1, 2)); got != 8192 || err != nil {
		t.Errorf("with sizes and filters: %d, %v", got, err)
	}
	for name, h := range map[string][]byte{
		"a flag":               blockHeader(0x04, 0x21, 1, 2),
		"an unknown filter":    blockHeader(0, 0x22, 1, 2),
		"LZMA2 is not last":    blockHeader(1, 0x21, 1, 2, 0x03, 1, 0),
		"a dictionary":         blockHeader(0, 0x21, 1, 41),
		"two properties":       blockHeader(0, 0x21, 2, 2, 2),
		"padding that is none": blockHeader(0, 0x21, 1, 2, 0, 1),
	} {
		if _, err := Dictionary(h); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
	sum := blockHeader(0, 0x21, 1, 2)
	sum[4]++
	for name, h := range map[string][]byte{
		"nothing":             {},
		"an index":            make([]byte, 20),
		"a part":              sum[:8],
		"a checksum":          sum,
		"a packed size of 0":  blockHeader(0x40, 0, 0x21, 1, 2),
		"a long integer":      blockHeader(0x80, 0x80, 0, 0x21, 1, 2),
		"no room for filters": blockHeader(3, 0x21, 1, 2, 0x21, 1, 2, 0x21, 200),
	} {
		if _, err := Dictionary(h); err == nil || errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestUnsupported has what is not wrong, but not done here.
func TestUnsupported(t *testing.T) {
	s := pack(t, sampleData(1000), ulikunitz.CRC32)
	flags := func(a, b byte) []byte {
		f := bytes.Clone(s)
		f[6], f[7] = a, b
		binary.LittleEndian.PutUint32(f[8:], crc32.ChecksumIEEE(f[6:8]))
		return f
	}
	if _, err := decode(flags(0, 0x0f)); !errors.Is(err, ErrCheck) {
		t.Errorf("a check: %v", err)
	}
	for _, f := range [][]byte{flags(1, 1), flags(0, 0x11)} {
		if _, err := decode(f); !errors.Is(err, ErrOptions) {
			t.Errorf("a flag: %v", err)
		}
	}
	block := func(h []byte) []byte { return append(bytes.Clone(s[:12]), h...) }
	var dict *DictionaryError
	if _, err := decode(block(blockHeader(0, 0x21, 1, 40))); !errors.As(err, &dict) || dict.Size != 1<<32-1 {
		t.Errorf("a dictionary: %v", err)
	}
	for name, h := range map[string][]byte{
		"delta without a distance": blockHeader(1, 0x03, 0, 0x21, 1, 2),
		"an odd start":             blockHeader(1, 0x07, 4, 2, 0, 0, 0, 0x21, 1, 2),
		"a short start":            blockHeader(1, 0x04, 2, 2, 0, 0x21, 1, 2),
		"a filter of the future":   blockHeader(1, 0x0b, 0, 0x21, 1, 2),
	} {
		if _, err := decode(block(h)); !errors.Is(err, ErrOptions) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSizes: what a block's header says of its sizes is true.
func TestSizes(t *testing.T) {
	// A block of "abc", not packed: 7 bytes, and the end.
	file := func(packed, unpacked byte) []byte {
		h := blockHeader(0xc0, packed, unpacked, 0x21, 1, 0)
		f := []byte("\xfd7zXZ\x00\x00\x00\xff\x12\xd9\x41")
		f = append(append(f, h...), "\x01\x00\x02abc\x00\x00"...)
		index := []byte{0, 1, byte(len(h)) + 7, 3}
		f = append(f, index...)
		f = binary.LittleEndian.AppendUint32(f, crc32.ChecksumIEEE(index))
		foot := []byte{1, 0, 0, 0, 0, 0}
		f = binary.LittleEndian.AppendUint32(f, crc32.ChecksumIEEE(foot))
		return append(append(f, foot...), "YZ"...)
	}
	if got, err := decode(file(7, 3)); err != nil || string(got) != "abc" {
		t.Fatalf("%q, %v", got, err)
	}
	for _, sizes := range [][2]byte{{6, 3}, {8, 3}, {7, 2}, {7, 4}} {
		if _, err := decode(file(sizes[0], sizes[1])); err == nil {
			t.Errorf("packed %d, unpacked %d: no error", sizes[0], sizes[1])
		}
	}
}
