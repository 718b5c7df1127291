package xz

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	ulikunitz "github.com/ulikunitz/xz"

	"xtoo/internal/testutil"
)

// limit is what a reader may hold in these tests.
const limit = 128 << 20

// sampleData has text, repetitions, zeros, noise, and what filters take for the branches of many machines.
func sampleData(n int) []byte {
	r := rand.New(rand.NewChaCha8([32]byte{2}))
	var b bytes.Buffer
	for b.Len() < n {
		switch r.IntN(4) {
		case 0:
			fmt.Fprintf(&b, "%s%d: a line like the others\n", strings.Repeat("usr/lib/", r.IntN(4)), r.IntN(50))
		case 1:
			b.Write(make([]byte, r.IntN(600)))
		case 2:
			for range r.IntN(200) {
				b.WriteByte(byte(r.IntN(256)))
			}
		case 3:
			b.Write(make([]byte, -b.Len()&15))
			for range r.IntN(60) {
				high := byte(0)
				if r.IntN(2) == 0 {
					high = 0xff
				}
				code := [][]byte{
					{0xe8, byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(2)), high},
					{0x48 | byte(r.IntN(4)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(64))<<2 | 1},
					{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), 0xeb},
					{byte(r.IntN(256)), 0xf0 | byte(r.IntN(8)), byte(r.IntN(256)), 0xf8 | byte(r.IntN(8))},
					{[]byte{0x40, 0x7f}[r.IntN(2)], []byte{0, 0xff}[r.IntN(2)], byte(r.IntN(256)), byte(r.IntN(256))},
					{byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), 0x94 | byte(r.IntN(4))},
					{byte(r.IntN(256)), byte(r.IntN(256)), high, 0x90 | byte(r.IntN(8))<<4},
					{0x10, 0, 0, 0, byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), 0x50, 0, 0, 0, byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), byte(r.IntN(256)), 0x50},
				}[r.IntN(8)]
				b.Write(code)
			}
		}
	}
	return b.Bytes()[:n]
}

func decode(data []byte) ([]byte, error) { return io.ReadAll(NewReader(bytes.NewReader(data), limit)) }

// TestByXZ decodes what xz itself packs, in every way that it has.
func TestByXZ(t *testing.T) {
	testutil.Need(t, "xz")
	data := sampleData(120_001)
	ways := []string{"-0", "-1", "-3", "-6", "-9", "-0e", "-6e", "-9e"}
	for _, s := range []string{
		"preset=1,lc=0,lp=4,pb=4", "preset=1,lc=4,lp=0,pb=0", "preset=1,lc=1,lp=3,pb=1", "dict=4KiB", "dict=4KiB,mf=hc3", "dict=6KiB,nice=2,mf=bt2",
		"dict=3MiB,mode=fast,mf=hc4,nice=273", "preset=9e,nice=8,mf=bt3,depth=2",
	} {
		ways = append(ways, "--lzma2="+s)
	}
	for _, s := range []string{"none", "crc32", "crc64", "sha256"} {
		ways = append(ways, "-1 --check="+s, "-1 --block-size=30000 --check="+s)
	}
	ways = append(ways, "-1 -T2 --block-size=50000", "-T1 --block-size=1000 -0", "--flush-timeout=1")
	for _, s := range []string{"x86", "powerpc", "ia64", "arm", "armthumb", "arm64", "sparc"} {
		ways = append(ways, "--"+s+" --lzma2=preset=1", "--"+s+"=start=4096 --lzma2=preset=1 --block-size=33333")
	}
	for _, s := range []string{"1", "2", "3", "4", "255", "256"} {
		ways = append(ways, "--delta=dist="+s+" --lzma2=preset=0")
	}
	ways = append(ways, "--delta=dist=4 --x86 --arm --lzma2=preset=0")
	var z *Reader
	for _, way := range ways {
		if (strings.HasPrefix(way, "-9") || strings.HasPrefix(way, "-6e")) && !testutil.IsLong() {
			continue // much memory to begin with
		}
		stream := []byte(testutil.Tool{Stdin: bytes.NewReader(data)}.Run(t, "xz", append(strings.Fields(way), "-c")...))
		if z == nil {
			z = NewReader(bytes.NewReader(stream), limit)
		} else {
			z.Reset(iotest.HalfReader(bytes.NewReader(stream)))
		}
		if got, err := io.ReadAll(iotest.HalfReader(z)); err != nil || !bytes.Equal(got, data) {
			t.Errorf("xz %s: %d bytes of %d, %v", way, len(got), len(data), err)
		}
	}
	noise := make([]byte, 200_000)
	if _, err := rand.NewChaCha8([32]byte{3}).Read(noise); err != nil {
		t.Fatal(err)
	}
	for _, d := range [][]byte{noise, {}, {'x'}, make([]byte, 3<<20)} { // not packed; nothing; a byte; chunks of the largest size
		stream := []byte(testutil.Tool{Stdin: bytes.NewReader(d)}.Run(t, "xz", "-0c"))
		if got, err := decode(stream); err != nil || !bytes.Equal(got, d) {
			t.Errorf("%d bytes: %d, %v", len(d), len(got), err)
		}
	}
}

// pack packs by the library.
func pack(t testing.TB, data []byte, check byte) []byte {
	t.Helper()
	var b bytes.Buffer
	c := ulikunitz.WriterConfig{DictCap: 1 << 16, BlockSize: 2000, CheckSum: check, NoCheckSum: check == ulikunitz.None}
	w, err := c.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	if err := errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestStreams(t *testing.T) {
	data := sampleData(5000)
	for _, check := range []byte{ulikunitz.None, ulikunitz.CRC32, ulikunitz.CRC64, ulikunitz.SHA256} {
		s := pack(t, data, check)
		if got, err := decode(s); err != nil || !bytes.Equal(got, data) {
			t.Errorf("check %d: %d bytes, %v", check, len(got), err)
		}
	}
	s := pack(t, data, ulikunitz.CRC64)
	empty := pack(t, nil, ulikunitz.CRC32)
	zeros := make([]byte, 8)
	many := bytes.Join([][]byte{s, empty, zeros, s, zeros[:4]}, nil)
	if got, err := decode(many); err != nil || !bytes.Equal(got, append(bytes.Clone(data), data...)) {
		t.Errorf("several streams and padding: %d bytes, %v", len(got), err)
	}
	for name, f := range map[string][]byte{
		"wrong padding":            append(bytes.Clone(s), zeros[:3]...),
		"wrong padding, and more":  append(append(bytes.Clone(s), zeros[:5]...), s...),
		"something else":           append(bytes.Clone(s), "something else"...),
		"no stream":                []byte("something else"),
		"padding before the first": append(bytes.Clone(zeros), s...),
	} {
		if _, err := decode(f); err == nil || errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if n, err := NewReader(bytes.NewReader(s), limit).Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing: %d, %v", n, err)
	}
}

// TestDamaged: a file that is cut short anywhere, or has any bit another, is not taken.
func TestDamaged(t *testing.T) {
	s := pack(t, sampleData(3000), ulikunitz.CRC64)
	z := NewReader(nil, limit)
	for n := range len(s) {
		z.Reset(bytes.NewReader(s[:n]))
		if _, err := io.Copy(io.Discard, z); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d bytes of %d: %v", n, len(s), err)
		}
	}
	for i := range s {
		for bit := range 8 {
			if bit != i%8 && !testutil.IsLong() {
				continue
			}
			bad := bytes.Clone(s)
			bad[i] ^= 1 << bit
			z.Reset(bytes.NewReader(bad))
			if _, err := io.Copy(io.Discard, z); err == nil {
				t.Errorf("bit %d of byte %d, of %d: no error", bit, i, len(s))
			}
		}
	}
	broken := errors.New("broken")
	for _, n := range []int{0, 5, 12, 40, len(s) - 20, len(s)} {
		z := NewReader(io.MultiReader(bytes.NewReader(s[:n]), iotest.ErrReader(broken)), limit)
		if _, err := io.ReadAll(z); !errors.Is(err, broken) {
			t.Errorf("the source fails after %d bytes of %d: %v", n, len(s), err)
		}
	}
}
