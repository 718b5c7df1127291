package lzma2

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/ulikunitz/xz/lzma"
)

// sampleData has what a stage3 has: text, repetitions near and far, zeros, words of a machine, and noise.
func sampleData(n int) []byte {
	r := rand.New(rand.NewChaCha8([32]byte{1}))
	var b bytes.Buffer
	for b.Len() < n {
		switch r.IntN(6) {
		case 0:
			fmt.Fprintf(&b, "%s/%d.so.%d: a line like the others\n", strings.Repeat("usr/lib/", r.IntN(4)), r.IntN(50), r.IntN(3))
		case 1:
			b.Write(make([]byte, r.IntN(600)))
		case 2:
			for range r.IntN(100) {
				b.WriteByte(byte(r.IntN(256)))
			}
		case 3:
			if b.Len() > 0 {
				from := r.IntN(b.Len())
				b.Write(bytes.Clone(b.Bytes()[from:min(b.Len(), from+r.IntN(2000))]))
			}
		case 4:
			b.WriteString(strings.Repeat(string(rune('a'+r.IntN(26)))+"bc"[:r.IntN(3)], 1+r.IntN(300)))
		case 5:
			for i := range r.IntN(60) {
				b.Write([]byte{0xe8, byte(i), byte(r.IntN(4)), 0, 0})
			}
		}
	}
	return b.Bytes()[:n]
}

// streamsOf packs data in several ways.
func streamsOf(t testing.TB, data []byte) [][]byte {
	t.Helper()
	var all [][]byte
	for _, p := range []lzma.Properties{{LC: 3, LP: 0, PB: 2}, {LC: 0, LP: 4, PB: 0}, {LC: 4, LP: 0, PB: 4}, {LC: 1, LP: 2, PB: 1}} {
		for _, m := range []lzma.MatchAlgorithm{lzma.HashTable4, lzma.BinaryTree} {
			var b bytes.Buffer
			w, err := lzma.Writer2Config{Properties: &p, DictCap: 1 << 12, Matcher: m}.NewWriter2(&b)
			if err != nil {
				t.Fatal(err)
			}
			_, err = w.Write(data)
			if err := errors.Join(err, w.Flush(), w.Close()); err != nil {
				t.Fatal(err)
			}
			all = append(all, b.Bytes())
		}
	}
	return all
}

// handMade has chunks that are not packed: one that resets the dictionary, one of a byte, and a reset between.
func handMade() []byte { return []byte("\x01\x00\x02abc\x02\x00\x00d\x01\x00\x01ef\x00behind") }

func TestDecoder(t *testing.T) {
	for _, n := range []int{0, 1, 100, 40_000} {
		data := sampleData(n)
		for i, s := range streamsOf(t, data) {
			got, taken, err := decodeAll(append(s, "behind"...), 1<<12, n)
			if err != nil || !bytes.Equal(got, data) || taken != int64(len(s)) {
				t.Errorf("%d bytes, %d: %d bytes, %d taken of %d, %v", n, i, len(got), taken, len(s), err)
			}
		}
	}
	got, taken, err := decodeAll(handMade(), 1<<12, 100)
	if err != nil || string(got) != "abcdef" || taken != int64(len(handMade())-len("behind")) {
		t.Errorf("by hand: %q, %d taken, %v", got, taken, err)
	}
}

// TestMemory: a small dictionary in a long stream is moved time and again, and the buffer stays within what was said. A
// decoder that is used again keeps it.
func TestMemory(t *testing.T) {
	data := sampleData(1 << 20)
	var b bytes.Buffer
	w, err := lzma.Writer2Config{DictCap: 1 << 13}.NewWriter2(&b)
	if err != nil {
		t.Fatal(err)
	}
	for part := range slices.Chunk(data, 50_000) { // chunks of different sizes
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	var d Decoder
	for range 2 {
		d.Reset(bufio.NewReader(bytes.NewReader(b.Bytes())), 1<<13)
		var got []byte
		for err = nil; err == nil; {
			var part []byte
			part, err = d.Next()
			got = append(got, part...)
		}
		if !errors.Is(err, io.EOF) || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes of %d, %v", len(got), len(data), err)
		}
		if _, err := d.Next(); !errors.Is(err, io.EOF) {
			t.Errorf("behind the end: %v", err)
		}
	}
	if most := Memory(1 << 13); int64(len(d.buf)) > most {
		t.Errorf("%d bytes held, %d said", len(d.buf), most)
	}
}

func TestRefused(t *testing.T) {
	s := streamsOf(t, sampleData(2000))[0]
	for n := range len(s) {
		if _, _, err := decodeAll(s[:n], 1<<12, 1<<20); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Fatalf("%d bytes of %d: %v", n, len(s), err)
		}
	}
	edit := func(at int, b byte) []byte {
		c := bytes.Clone(s)
		c[at] = b
		return c
	}
	cases := map[string][]byte{
		"a control byte that is none":       []byte("\x03\x00\x00a\x00"),
		"no reset of the dictionary":        []byte("\x02\x00\x00a\x00"),
		"packed, no reset":                  edit(0, s[0]&0x1f|0x80),
		"packed, the state alone reset":     edit(0, s[0]&0x1f|0xa0),
		"properties, no dictionary":         edit(0, s[0]&0x1f|0xc0),
		"no properties behind a plain one":  append([]byte("\x01\x00\x00a"), edit(0, s[0]&0x1f|0xa0)...),
		"lc and lp beyond 4":                edit(5, 3+9*2),
		"properties beyond all":             edit(5, 225),
		"a first byte that is not 0":        edit(6, 1),
		"bits beyond the range":             append(bytes.Clone(s[:7]), append([]byte{255, 255, 255, 255}, s[11:]...)...),
		"a chunk that is said to be longer": edit(2, s[2]+1),
		"and one shorter":                   edit(2, s[2]-1),
		"more packed bytes":                 edit(4, s[4]+1),
		"fewer":                             edit(4, s[4]-1),
		"less than the coder begins with":   []byte("\xe0\x00\x00\x00\x03\x5d\x00\x00\x00\x00\x00"),
	}
	for name, data := range cases {
		if _, _, err := decodeAll(append(data, s...), 1<<12, 1<<20); err == nil || errors.Is(err, io.EOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	broken := errors.New("broken")
	var d Decoder
	d.Reset(bufio.NewReader(io.MultiReader(bytes.NewReader(s[:50]), iotest.ErrReader(broken))), 1<<12)
	for range 2 { // it stays
		if _, err := d.Next(); !errors.Is(err, broken) {
			t.Errorf("the source's error: %v", err)
		}
	}
	// A distance beyond the dictionary: the same stream is right with a larger one.
	far := append(append(sampleData(4000), make([]byte, 5000)...), sampleData(4000)...)
	var b bytes.Buffer
	w, err := lzma.Writer2Config{DictCap: 1 << 16}.NewWriter2(&b)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(far)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	if _, _, err := decodeAll(b.Bytes(), 1<<12, 1<<20); !errors.Is(err, errBits) {
		t.Errorf("a distance beyond the dictionary: %v", err)
	}
	if got, _, err := decodeAll(b.Bytes(), 1<<16, 1<<20); err != nil || !bytes.Equal(got, far) {
		t.Errorf("a distance within it: %v", err)
	}
}

// BenchmarkDecoder decodes what a stage3 is like.
func BenchmarkDecoder(b *testing.B) {
	data := sampleData(1 << 20)
	s := streamsOf(b, data)[0]
	var d Decoder
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		d.Reset(bufio.NewReader(bytes.NewReader(s)), 1<<12)
		for {
			if _, err := d.Next(); errors.Is(err, io.EOF) {
				break
			} else if err != nil {
				b.Fatal(err)
			}
		}
	}
}
