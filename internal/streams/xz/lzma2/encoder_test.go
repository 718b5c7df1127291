package lzma2

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/ulikunitz/xz/lzma"
)

// unpack decodes a stream with the decoder of this package.
func unpack(stream []byte, dictionary uint32) ([]byte, error) {
	var d Decoder
	d.Reset(bufio.NewReader(bytes.NewReader(stream)), dictionary)
	var out []byte
	for {
		data, err := d.Next()
		out = append(out, data...)
		if errors.Is(err, io.EOF) {
			return out, nil
		}
		if err != nil {
			return out, err
		}
	}
}

// checkEncoded packs a block and unpacks it again, here and with another's decoder.
func checkEncoded(t *testing.T, e *Encoder, block []byte) []byte {
	t.Helper()
	stream := e.Encode(nil, block)
	size := uint32(max(len(block), 4096))
	if got, err := unpack(stream, size); err != nil || !bytes.Equal(got, block) {
		t.Fatalf("%d bytes are unpacked to %d: %v", len(block), len(got), err)
	}
	r, err := lzma.Reader2Config{DictCap: int(size)}.NewReader2(bytes.NewReader(stream))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, block) {
		t.Fatalf("%d bytes are unpacked to %d by another: %v", len(block), len(got), err)
	}
	return stream
}

func TestEncoder(t *testing.T) {
	t.Parallel()
	noise := make([]byte, 140<<10)
	r := rand.New(rand.NewChaCha8([32]byte{7}))
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	sample := sampleData(300 << 10)
	mixed := bytes.Join([][]byte{noise, sample[:200<<10], noise[:70<<10], noise, sample[:1000]}, nil)
	var e Encoder // its memory is used again, for longer and shorter ones
	for _, block := range [][]byte{
		nil, {0}, []byte("ab"), []byte("aaa"), []byte("abab"), sample, noise, mixed, make([]byte, 2100<<10), noise[:1<<16], noise[:1<<16+1], sample[:maxMatch+1],
		bytes.Repeat([]byte("x"), maxMatch*3+1), bytes.Repeat([]byte("abc"), 1000),
	} {
		stream := checkEncoded(t, &e, block)
		if again := new(Encoder).Encode(nil, block); !bytes.Equal(again, stream) {
			t.Errorf("%d bytes: a new encoder gives others", len(block))
		}
		if limit := len(block) + len(block)/10000 + 64; len(stream) > limit {
			t.Errorf("%d bytes become %d", len(block), len(stream))
		}
	}
	if n := len(e.Encode(nil, sample)); n > len(sample)/3 {
		t.Errorf("%d bytes that repeat themselves become %d", len(sample), n)
	}
}

// FuzzEncoder: what is packed is unpacked again.
func FuzzEncoder(f *testing.F) {
	f.Add([]byte(""), uint16(0))
	f.Add([]byte("abcabcabcabcabd"), uint16(3))
	f.Add(sampleData(2000), uint16(70))
	f.Fuzz(func(t *testing.T, data []byte, repeat uint16) {
		block := data
		if len(data) > 0 {
			block = bytes.Repeat(data, min(int(repeat), 1<<20/len(data))+1)
		}
		checkEncoded(t, &Encoder{}, block)
	})
}
