package lzma2

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os/exec"
	"testing"

	other "github.com/mikelolasagasti/xz"
	"github.com/ulikunitz/xz/lzma"
)

// decodeAll decodes a stream that data begins with, up to most bytes of it.
func decodeAll(data []byte, dictionary uint32, most int) (out []byte, taken int64, err error) {
	var d Decoder
	d.Reset(bufio.NewReader(bytes.NewReader(data)), dictionary)
	for len(out) <= most {
		b, err := d.Next()
		out = append(out, b...)
		if err != nil {
			if errors.Is(err, io.EOF) {
				err = nil
			}
			return out, d.Taken(), err
		}
	}
	return out, d.Taken(), errTooMuch
}

var errTooMuch = errors.New("too much")

// FuzzLZMA2: nothing panics; what is decoded, two other decoders decode to the same; what is refused, the others refuse. (One
// of them takes some streams that are cut short, or have properties beyond what LZMA2 allows: then xz decides.)
func FuzzLZMA2(f *testing.F) {
	for _, s := range streamsOf(f, sampleData(3000)) {
		f.Add(s, byte(0))
	}
	f.Add(handMade(), byte(1))
	f.Fuzz(func(t *testing.T, data []byte, dict byte) {
		bits := dict % 16 // up to 1 MiB
		size := uint32(2|bits&1) << (bits/2 + 11)
		out, taken, err := decodeAll(data, size, 8<<20)
		if errors.Is(err, errTooMuch) {
			return
		}
		if err == nil {
			got, err := otherDecode(data[:taken], int64(len(out)), bits)
			if err != nil || !bytes.Equal(got, out) {
				t.Fatalf("%d bytes; another decoder: %d bytes, %v", len(out), len(got), err)
			}
		}
		r, rerr := lzma.Reader2Config{DictCap: int(size)}.NewReader2(bytes.NewReader(data))
		if rerr != nil {
			t.Fatal(rerr)
		}
		got, rerr := io.ReadAll(io.LimitReader(r, 8<<20))
		switch {
		case err == nil && (rerr != nil || !bytes.Equal(got, out)):
			t.Fatalf("%d bytes; the third decoder: %d bytes, %v", len(out), len(got), rerr)
		case err != nil && rerr == nil && xzTakes(data, size):
			t.Fatalf("refused (%v), but others give %d bytes", err, len(got))
		}
	})
}

// xzTakes says whether xz decodes a stream.
func xzTakes(stream []byte, dictionary uint32) bool {
	cmd := exec.Command("xz", "--format=raw", fmt.Sprintf("--lzma2=dict=%d", dictionary), "-dc")
	cmd.Stdin = bytes.NewReader(stream)
	return cmd.Run() == nil
}

// otherDecode has a stream decoded that is dressed up as a file.
func otherDecode(stream []byte, size int64, dict byte) ([]byte, error) {
	file := []byte("\xfd7zXZ\x00\x00\x00\xff\x12\xd9\x41")
	head := []byte{2, 0, 0x21, 1, dict, 0, 0, 0}
	file = append(file, head...)
	file = binary.LittleEndian.AppendUint32(file, crc32.ChecksumIEEE(head))
	file = append(file, stream...)
	for len(file)%4 != 0 {
		file = append(file, 0)
	}
	index := binary.AppendUvarint([]byte{0, 1}, uint64(12+len(stream)))
	index = binary.AppendUvarint(index, uint64(size))
	for len(index)%4 != 0 {
		index = append(index, 0)
	}
	foot := binary.LittleEndian.AppendUint32(nil, uint32(len(index)/4))
	foot = append(foot, 0, 0)
	file = append(file, index...)
	file = binary.LittleEndian.AppendUint32(file, crc32.ChecksumIEEE(index))
	file = binary.LittleEndian.AppendUint32(file, crc32.ChecksumIEEE(foot))
	file = append(append(file, foot...), "YZ"...)
	z, err := other.NewReader(bytes.NewReader(file), 0)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(z)
}
