package squashfs

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"fmt"
	"math/rand/v2"
	"os"
	"strings"
	"testing"
	"time"

	"xtoo/internal/testutil"
)

// random makes bytes that do not compress.
func random(seed uint64, n int) []byte {
	b := make([]byte, n)
	_, _ = rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8), byte(seed >> 16)}).Read(b) // does not fail
	return b
}

// prose makes bytes that compress well.
func prose(seed uint64, n int) []byte {
	r := rand.New(rand.NewPCG(seed, 1))
	words := strings.Fields("stage layer node emerge portage linux funtoo ebuild kernel squash inode block table")
	var b bytes.Buffer
	for b.Len() < n {
		b.WriteString(words[r.IntN(len(words))])
		b.WriteByte(byte(32 + r.IntN(3)))
	}
	return b.Bytes()[:n]
}

func data(path string, b []byte) item { return item{Entry: file(path, int64(len(b))), data: b} }

// zoo is one of everything, in an order that no tool would choose, for blocks of bs bytes.
func zoo(bs int) []item {
	sparse := make([]byte, 5*bs+5000)
	copy(sparse[2*bs:], prose(1, bs))
	items := []item{
		text("usr/share/deep/er/file", "before its directories"),
		{Entry: dir("usr/share")},
		{Entry: Entry{Path: "./usr/", Mode: modeDir | 0o1777, UID: 1, GID: 2, ModTime: day.Add(time.Hour)}},
		{Entry: Entry{Path: ".", Mode: modeDir | 0o700, UID: 7, GID: 8, ModTime: day, Xattrs: map[string]string{"user.root": "yes"}}},
		data("empty", nil), data("one", []byte{1}), data("edge-1", prose(2, bs-1)), data("edge", prose(3, bs)),
		data("edge+1", prose(4, bs+1)), data("random", random(1, 2*bs+bs/2+4464)), data("zeros", make([]byte, 3*bs)),
		data("zeros-tail", make([]byte, bs+4096)), data("zeros-small", make([]byte, 100)), data("sparse", sparse),
		data("big", append(prose(5, 20*bs), random(2, 333)...)),
		data("half", prose(6, bs/2+1)), data("half-", prose(7, bs/2)),
		{Entry: Entry{Path: "link", Mode: modeSymlink | 0o777, ModTime: day, Target: "usr/share/../ü"}},
		{Entry: Entry{Path: "longlink", Mode: modeSymlink | 0o777, ModTime: day, Target: strings.Repeat("x/", 2047) + "y"}},
		{Entry: Entry{Path: "dev/null", Mode: modeChar | 0o666, ModTime: day, Major: 1, Minor: 3}},
		{Entry: Entry{Path: "dev/big", Mode: modeBlock | 0o660, GID: 6, ModTime: day, Major: 4095, Minor: 1048575}},
		{Entry: Entry{Path: "dev/wide", Mode: modeChar | 0o600, ModTime: day, Major: 300, Minor: 70000}},
		{Entry: Entry{Path: "fifo", Mode: modeFifo | 0o644, ModTime: day}},
		{Entry: Entry{Path: "socket", Mode: modeSocket | 0o755, ModTime: day}},
		{Entry: Entry{Path: "setuid", Mode: modeFile | 0o6755, UID: 0xFFFFFFFE, GID: 65534, ModTime: time.Unix(1<<32-1, 999)}},
		{Entry: Entry{Path: "old", Mode: modeFile, ModTime: time.Unix(-5, 0)}},
		{Entry: Entry{Path: "future", Mode: modeFile, ModTime: time.Unix(1<<40, 0)}},
		data("name with spaces/日本語/"+strings.Repeat("n", 255), []byte("x")),
		data("bytes\xff\xfe\n", []byte("y")),
		text("hard", "linked"), {Entry: Entry{Path: "usr/hard2"}, link: "hard"}, {Entry: Entry{Path: "new/dir/hard3"}, link: "./usr/hard2"},
		{Entry: Entry{Path: "fifo2"}, link: "fifo"}, {Entry: Entry{Path: "dev/null2"}, link: "dev/null"},
		{Entry: Entry{Path: "link2"}, link: "link"}, {Entry: dir("empty-dir")},
	}
	attrs := map[string]string{"user.a": "1", "trusted.b": "", "security.capability": "\x01\x00\x00\x02\x00\x20\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"}
	for i, mode := range []uint32{modeFile, modeDir, modeFile} {
		items = append(items, item{Entry: Entry{Path: fmt.Sprintf("xattr-%d", i), Mode: mode | 0o755, ModTime: day, Xattrs: attrs}})
	}
	trusted := map[string]string{"trusted.long": string(random(3, 3000)), "trusted.n": strings.Repeat("z", 200)}
	for i, mode := range []uint32{modeSymlink, modeChar, modeBlock, modeFifo, modeSocket} {
		items = append(items, item{Entry: Entry{Path: fmt.Sprintf("trusted-%d", i), Mode: mode | 0o777, ModTime: day, Xattrs: trusted, Target: "t", Major: 9, Minor: 9}})
	}
	return items
}

func TestRoundTrip(t *testing.T) {
	for _, o := range []Options{
		{}, {Compression: compressGzip, level: 1, blockSize: testBlock()}, {Compression: compressZstd, ModTime: day, blockSize: testBlock()},
		{Compression: compressZstd, level: 3, blockSize: testBlock()}, {Compression: compressXz, blockSize: testBlock()}, {blockSize: 4096},
		{blockSize: 1 << 20, Compression: compressZstd, level: 3}, {blockSize: 1 << 20, level: 1},
	} {
		t.Run(fmt.Sprintf("%s-%d-%d", o.Compression, o.level, o.blockSize), func(t *testing.T) {
			items := zoo(min(cmp.Or(o.blockSize, defaultBlockSize), defaultBlockSize))
			r := open(t, build(t, o, items...))
			if err := r.Verify(t.Context()); err != nil {
				t.Fatal(err)
			}
			want := expect(t, o, items...)
			sameFacts(t, "reader", readFacts(t, r), want, nil)
			for p := range want {
				if f, err := r.lookup(p); err != nil || f.Path != p {
					t.Errorf("Lookup %q: %v, %v", p, f, err)
				}
			}
		})
	}
}

// TestEmpty builds a filesystem of nothing but its root.
func TestEmpty(t *testing.T) {
	r := open(t, build(t, Options{}))
	if err := r.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	if n := len(collect(t, r)); n != 1 || r.Info().Inodes != 1 {
		t.Errorf("%d entries, %d inodes", n, r.Info().Inodes)
	}
}

// TestSameBytes holds the promise that bytes depend on calls and options alone.
func TestSameBytes(t *testing.T) {
	bs := testBlock()
	for _, c := range []string{compressGzip, compressZstd, compressXz} {
		var first [32]byte
		items := manyFiles(bs)
		if c == compressXz {
			items = zoo(bs) // xz is slow
		}
		for i, jobs := range []int{1, 2, 7, 7, 1} {
			if i > 2 && (c == compressXz || !testutil.IsLong()) {
				break
			}
			b, err := os.ReadFile(build(t, Options{Compression: c, Jobs: jobs, blockSize: bs}, items...))
			if err != nil {
				t.Fatal(err)
			}
			if sum := sha256.Sum256(b); i == 0 {
				first = sum
			} else if sum != first {
				t.Errorf("%s: another result with %d jobs", c, jobs)
			}
		}
	}
}

// manyFiles has files of many sizes for blocks of bs bytes, duplicates, also large ones that are found out late (they
// have more than the MiB of which is known before it is written), and holes.
func manyFiles(bs int) []item {
	var items []item
	r := rand.New(rand.NewPCG(3, 4))
	for i := range 200 {
		n := r.IntN(bs / 4)
		if i%20 == 0 {
			n = r.IntN(2 * bs)
		}
		items = append(items, data(fmt.Sprintf("d%d/f%d", i%7, i), prose(uint64(r.IntN(200)), n)))
	}
	big := append(random(9, 1<<20), prose(9, 5*bs+bs/3)...)
	for i := range 3 {
		items = append(items, data(fmt.Sprintf("big%d", i), big))
		holes := make([]byte, 1<<20+4*bs)
		copy(holes[3*bs:], prose(uint64(10+i), 8*bs))
		items = append(items, data(fmt.Sprintf("holes%d", i), holes), data(fmt.Sprintf("behind%d", i), prose(uint64(i)+1000, bs+bs/2)))
	}
	return items
}

// TestCompressorForgets checks that a block's compressed form does not depend on the blocks before it,
// on which the promise of same bytes stands.
func TestCompressorForgets(t *testing.T) {
	notUnderRace(t)
	for _, o := range []Options{
		{Compression: compressGzip, level: 1}, {Compression: compressGzip, level: 6}, {Compression: compressGzip, level: 7}, {Compression: compressGzip, level: 9},
		{Compression: compressZstd, level: 1}, {Compression: compressZstd, level: 3}, {Compression: compressZstd, level: 7}, {Compression: compressZstd, level: 15}, {Compression: compressXz},
	} {
		o, err := o.withDefaults()
		if err != nil {
			t.Fatal(err)
		}
		used, err := newCompressor(o)
		if err != nil {
			t.Fatal(err)
		}
		rounds, large := 12, defaultBlockSize/2
		if testutil.IsLong() {
			rounds, large = 60, defaultBlockSize
		}
		if o.Compression == compressXz {
			rounds /= 4
		}
		r := rand.New(rand.NewPCG(1, 2))
		for i := range rounds {
			src := prose(uint64(i), 1+r.IntN(large))
			if i%3 == 0 {
				src = append(random(uint64(i), 1+len(src)/4), src[len(src)/2:]...)
			}
			fresh, err := newCompressor(o)
			if err != nil {
				t.Fatal(err)
			}
			a, err := used.compress(make([]byte, len(src)), src)
			if err != nil {
				t.Fatal(err)
			}
			b, err := fresh.compress(make([]byte, len(src)), src)
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(a, b) {
				t.Fatalf("%s level %d: block %d depends on those before it", o.Compression, o.level, i)
			}
		}
	}
}

// TestDuplicates checks that content is stored once: small, in whole blocks, large enough to be written
// before it is known, with holes, and at the very end, where the output must be cut.
func TestDuplicates(t *testing.T) {
	bs, large := testBlock(), holdBlocks(testBlock())*testBlock()
	o := Options{blockSize: bs, level: 1}
	for name, b := range map[string][]byte{
		"small": random(1, 1000), "blocks": random(2, 3*bs), "tail": random(3, 3*bs+77),
		"large": random(4, large+12*bs+7), "holes": append(make([]byte, 20*bs), random(5, large+2*bs)...),
	} {
		t.Run(name, func(t *testing.T) {
			size := func(items ...item) int64 {
				p := build(t, o, items...)
				if err := open(t, p).Verify(t.Context()); err != nil {
					t.Fatal(err)
				}
				sameFacts(t, "reader", readFacts(t, open(t, p)), expect(t, o, items...), nil)
				st, err := os.Stat(p)
				if err != nil {
					t.Fatal(err)
				}
				return st.Size()
			}
			one := size(data("a", b), data("z", random(6, 300)))
			last := append(bytes.Clone(b[:len(b)-1]), b[len(b)-1]+1)
			for i, items := range [][]item{
				{data("a", b), data("b", b), data("z", random(6, 300))},
				{data("a", b), data("z", random(6, 300)), data("b", b)},
				{data("a", b), data("b", b), data("c", b), data("z", random(6, 300)), data("d", b)},
			} {
				if n := size(items...); n > one+padding {
					t.Errorf("%d: %d bytes with duplicates, %d without", i, n, one)
				}
			}
			if n := size(data("a", b), data("b", last), data("z", random(6, 300))); name != "small" && n < one+int64(len(bytes.TrimLeft(b, "\x00")))*9/10 {
				t.Errorf("nearly equal files were taken for duplicates: %d bytes", n)
			}
		})
	}
}

// TestBoundaries moves the ends of inodes and listings over the ends of metadata blocks, byte by byte.
func TestBoundaries(t *testing.T) {
	step := 1
	if !testutil.IsLong() {
		step = 16
	}
	for pad := 1; pad < 130; pad += step {
		var items []item
		for i := range 260 {
			// Links of an odd inode size, and names of another, so that both tables are hit at all offsets.
			items = append(items, item{Entry: Entry{
				Path: fmt.Sprintf("d/%0*d", 1+pad, i), Mode: modeSymlink | 0o777, ModTime: day, Target: strings.Repeat("t", 100+pad),
			}})
		}
		items = append(items, data("last", prose(1, 70*4096)))
		p := build(t, Options{blockSize: 4096, Jobs: 1}, items...)
		r := open(t, p)
		if err := r.Verify(t.Context()); err != nil {
			t.Fatalf("pad %d: %v", pad, err)
		}
		if n := len(collect(t, r)); n != 260+3 {
			t.Fatalf("pad %d: %d entries", pad, n)
		}
	}
}

// TestExactBlock fills the inode table to exactly one metadata block and one byte around it.
func TestExactBlock(t *testing.T) {
	// 32-byte root, and links of 24 bytes and their target.
	for _, last := range []int{-1, 0, 1} {
		var items []item
		const size = 124
		left := metadataSize - 32
		for i := 0; left >= 2*size; i, left = i+1, left-size {
			items = append(items, item{Entry: Entry{Path: fmt.Sprintf("l%03d", i), Mode: modeSymlink | 0o777, Target: strings.Repeat("t", size-24)}})
		}
		items = append(items, item{Entry: Entry{Path: "z", Mode: modeSymlink | 0o777, Target: strings.Repeat("t", left-24+last)}})
		r := open(t, build(t, Options{}, items...))
		if err := r.Verify(t.Context()); err != nil {
			t.Fatalf("%+d: %v", last, err)
		}
		sameFacts(t, "reader", readFacts(t, r), expect(t, Options{}, items...), nil)
	}
}
