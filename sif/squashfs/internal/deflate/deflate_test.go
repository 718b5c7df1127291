package deflate

import (
	"bytes"
	"compress/zlib"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"

	"xtoo/internal/testutil"
)

var efforts = []Effort{{1, 8}, {10, 30}, {35, 65}, {300, 258}}

// samples are blocks of many kinds: what deflate has special cases for, and text and code.
func samples(t testing.TB) map[string][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 200000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	skewed := make([]byte, 300000) // Fibonacci-like frequencies: codes would be too long
	for i := range skewed {
		skewed[i] = byte(min(r.ExpFloat64()*1.3, 255))
	}
	s := map[string][]byte{
		"empty": {}, "one": {1}, "two": {1, 2}, "four": []byte("aaaa"), "five": []byte("aaaaa"), "noise": noise,
		"zeros": make([]byte, 1<<20), "skewed": skewed, "far": append(append(bytes.Clone(noise[:32768]), noise[:300]...), noise[1:400]...),
		"mixed": append(append(bytes.Repeat([]byte("the same line\n"), 3000), noise[:50000]...), bytes.Repeat([]byte{0, 1, 2}, 20000)...),
	}
	files, err := filepath.Glob("*.go")
	if err != nil || len(files) == 0 {
		t.Fatal(err)
	}
	for _, name := range files {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		s["code"] = append(s["code"], b...)
	}
	return s
}

func inflate(t testing.TB, b []byte) []byte {
	t.Helper()
	z, err := zlib.NewReader(bytes.NewReader(b))
	if err != nil {
		t.Fatal(err)
	}
	out, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestRoundTrip has the standard library read every stream, with encoders new and used.
func TestRoundTrip(t *testing.T) {
	for _, effort := range efforts {
		used := NewEncoder(effort)
		for name, src := range samples(t) {
			sizes := []int{min(len(src), 131072), min(len(src), 10)}
			if testutil.IsLong() {
				sizes = append(sizes, len(src), len(src)/2)
			}
			for _, n := range sizes {
				src := src[:n]
				a, ok := used.Encode(make([]byte, 0, n+n/1000+64), src)
				if !ok {
					t.Fatalf("%s, %d bytes: stream is longer than stored", name, n)
				}
				if !bytes.Equal(inflate(t, a), src) {
					t.Fatalf("%s, %d bytes: other data", name, n)
				}
				b, _ := NewEncoder(effort).Encode(make([]byte, 0, n+n/1000+64), src)
				if !bytes.Equal(a, b) {
					t.Fatalf("%s, %d bytes: depends on earlier blocks", name, n)
				}
				if _, ok := used.Encode(make([]byte, 0, len(a)-1), src); ok {
					t.Fatalf("%s, %d bytes: fits where it cannot", name, n)
				}
				if c, ok := used.Encode(make([]byte, 0, len(a)), src); !ok || !bytes.Equal(a, c) {
					t.Fatalf("%s, %d bytes: does not fit where it must", name, n)
				}
			}
		}
	}
}

// TestBaseWraps crosses the point where positions start anew.
func TestBaseWraps(t *testing.T) {
	src := samples(t)["code"]
	e := NewEncoder(efforts[2])
	want, _ := e.Encode(make([]byte, 0, len(src)), src)
	want = bytes.Clone(want)
	e.base = 1<<32 - 4*windowSize - uint32(len(src))
	for range 4 {
		if got, _ := e.Encode(make([]byte, 0, len(src)), src); !bytes.Equal(got, want) {
			t.Fatal("another stream")
		}
	}
}

// TestSize holds the size to what the standard library's best level makes: a little less for what files
// are like, not much more for what they are not.
func TestSize(t *testing.T) {
	for name, percent := range map[string]int{"code": 100, "mixed": 101, "skewed": 103, "zeros": 101} {
		src := samples(t)[name]
		var std bytes.Buffer
		z, err := zlib.NewWriterLevel(&std, zlib.BestCompression)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := z.Write(src); err != nil {
			t.Fatal(err)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		out, ok := NewEncoder(efforts[2]).Encode(make([]byte, 0, len(src)), src)
		if !ok || len(out)*100 > std.Len()*percent {
			t.Errorf("%s: %d bytes, the standard library makes %d", name, len(out), std.Len())
		}
	}
}

// FuzzEncode has the standard library read what comes out.
func FuzzEncode(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s[:min(len(s), 20000)])
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		for _, effort := range efforts[:2] {
			out, ok := NewEncoder(effort).Encode(make([]byte, 0, len(src)+len(src)/1000+64), src)
			if !ok || !bytes.Equal(inflate(t, out), src) {
				t.Fatalf("%v: other data", effort)
			}
		}
	})
}

func BenchmarkEncode(b *testing.B) {
	name := os.Getenv("XTOO_BENCH_TAR")
	if name == "" {
		b.Skip("XTOO_BENCH_TAR names no file")
	}
	f, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	var blocks [][]byte
	total := 0
	for i := int64(0); ; i += 6 {
		block := make([]byte, 131072)
		n, err := f.ReadAt(block, i*131072)
		if n == 0 {
			break
		}
		blocks = append(blocks, block[:n])
		total += n
		if err != nil {
			break
		}
	}
	for _, effort := range []Effort{{8, 24}, {16, 40}, {24, 50}, {35, 65}, {60, 100}, {100, 130}, {300, 258}} {
		b.Run(fmt.Sprintf("%d-%d", effort.Depth, effort.Nice), func(b *testing.B) {
			b.SetBytes(int64(total))
			e := NewEncoder(effort)
			dst := make([]byte, 0, 131072+1000)
			for range b.N {
				size := 0
				for _, src := range blocks {
					out, _ := e.Encode(dst, src)
					size += len(out)
				}
				b.ReportMetric(float64(size), "outbytes")
			}
		})
	}
}
