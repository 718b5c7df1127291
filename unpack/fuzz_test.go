package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/mikelolasagasti/xz"

	"xtoo/internal/streams/packed"
	"xtoo/layers"
)

// seedTars are small tars of every kind of member.
func seedTars(f *testing.F) {
	f.Add(sample(f))
	f.Add(withEnd(extended('L', strings.Repeat("n/", 60)+"\x00", rawHeader("n", tar.TypeReg, size0))))
	f.Add(withEnd(extended('g', record("comment", "c"), extended('x', record("size", "3")+record("mtime", "1.5"), append(rawHeader("a", 0, size0), pad([]byte("abc"))...)))))
	sparse10 := record("GNU.sparse.major", "1") + record("GNU.sparse.minor", "0") + record("GNU.sparse.name", "s") + record("GNU.sparse.realsize", "1000")
	f.Add(withEnd(extended('x', sparse10, append(rawHeader("x", tar.TypeReg, "00000001003\x00"), append(pad([]byte("1\n10\n3\n")), pad([]byte("abc"))...)...))))
	sparse01 := record("GNU.sparse.map", "10,3") + record("GNU.sparse.numblocks", "1") + record("GNU.sparse.size", "1000")
	f.Add(withEnd(extended('x', sparse01, append(rawHeader("x", tar.TypeReg, "00000000003\x00"), pad([]byte("abc"))...))))
	old := rawHeader("s", tar.TypeGNUSparse, "00000000003\x00")
	copy(old[fieldMagic:], "ustar  \x00")
	copy(old[386:], "00000000012\x0000000000003\x00")
	copy(old[483:], "00000001750\x00")
	f.Add(withEnd(sumHeader(old), pad([]byte("abc"))))
	links := withEnd(rawHeader("a", tar.TypeReg, size0), rawHeader("b", tar.TypeLink, size0, 157, "a"), rawHeader("d/", 0, size0))
	f.Add(links)
	f.Add(append(links, indexOf(f, links)...))
}

// fixSums gives blocks that look like headers a right checksum, so that fuzzing gets past it.
func fixSums(data []byte) []byte {
	data = bytes.Clone(data)
	for i := 0; i+blockSize <= len(data); i += blockSize {
		if b := data[i : i+blockSize]; bytes.HasPrefix(b[fieldMagic:], []byte("ustar")) {
			sumHeader(b)
		}
	}
	return data
}

// FuzzCopy: nothing panics; what is written is a copy of what was read; and what is let through is read
// by archive/tar to its end, with the same number of members, none of which escapes, and is let through
// again.
func FuzzCopy(f *testing.F) {
	seedTars(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		data = fixSums(data)
		limits := layers.Bounds{FileSize: 1 << 20, Members: 1000}
		out, sum, err := copyAll(data, CopyOptions{limits: limits})
		if !bytes.HasPrefix(data, out) {
			t.Fatal("the copy differs")
		}
		if err != nil {
			return
		}
		if sum.Bytes != int64(len(out)) || sum.index != bytes.HasPrefix(data[len(out):], []byte(pixzMagic)) || !sum.index && len(out) != len(data) {
			t.Fatal("the copy is not whole")
		}
		n := readWhole(t, out)
		if n != sum.Entries {
			t.Fatalf("%d entries, archive/tar reads %d", sum.Entries, n)
		}
		opened := 0
		part, psum, err := copyAll(data, CopyOptions{limits: limits, Exclude: []string{"/a", "/**/n", "/usr", "/bin/s*"}, Reopen: reopenBytes(data, &opened)})
		if err != nil {
			t.Fatalf("with excludes: %v", err)
		}
		if psum.Entries+psum.Excluded != sum.Entries {
			t.Fatalf("%d kept and %d excluded of %d", psum.Entries, psum.Excluded, sum.Entries)
		}
		if n := readWhole(t, part); n != psum.Entries {
			t.Fatalf("%d entries kept, archive/tar reads %d", psum.Entries, n)
		}
		again, _, err := copyAll(part, CopyOptions{limits: limits})
		if err != nil || !bytes.Equal(again, part) {
			t.Fatalf("the result is refused: %v", err)
		}
	})
}

// readWhole reads a tar with archive/tar and counts the members.
func readWhole(t *testing.T, data []byte) int64 {
	t.Helper()
	r := tar.NewReader(bytes.NewReader(data))
	var n int64
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return n
		}
		if err != nil {
			t.Fatalf("archive/tar: %v", err)
		}
		if h.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		n++
		if _, err := layers.MemberOf(h); err != nil {
			t.Fatalf("%q: %v", h.Name, err)
		}
		if m, err := io.Copy(io.Discard, r); err != nil || (h.Typeflag == tar.TypeReg && m != h.Size) {
			t.Fatalf("%q: %d bytes of %d: %v", h.Name, m, h.Size, err)
		}
	}
}

// FuzzXZIndex: the index parser neither panics nor allocates by what it reads, and the blocks it finds
// lie in the file side by side. What decodes block by block is what the library decodes in one go.
func FuzzXZIndex(f *testing.F) {
	data := sample(f)
	f.Add(xzBytes(f, data, 0))
	f.Add(multiXZ(f, data))
	f.Add(emptyXZ())
	f.Add(append(emptyXZ(), 0, 0, 0, 0))
	f.Fuzz(func(t *testing.T, data []byte) {
		r := bytes.NewReader(data)
		blocks, err := readXZIndex(r, r.Size())
		if err != nil {
			return
		}
		var end int64
		for _, b := range blocks {
			if b.off < end+xzHeaderSize && b.off != end || b.size < 0 || b.unpadded < xzMinBlock {
				t.Fatalf("impossible block %+v after %d", b, end)
			}
			if end = b.off + b.padded(); end > r.Size() {
				t.Fatalf("block %+v beyond the end", b)
			}
		}
		dict, err := readDicts(r, blocks)
		if err != nil || dict > 1<<20 {
			return
		}
		flow := openXZBlocks(context.Background(), r, blocks, dict, OpenOptions{Jobs: 2}.withDefaults())
		defer flow.Wait()
		defer flow.Stop()
		got, err := io.ReadAll(io.LimitReader(flow, 8<<20))
		if err != nil || len(got) == 8<<20 {
			return
		}
		z, err := xz.NewReader(bytes.NewReader(data), 1<<20)
		if err != nil {
			t.Fatalf("the library refuses the file: %v", err)
		}
		if want, err := io.ReadAll(z); err != nil || !bytes.Equal(got, want) {
			t.Fatalf("%d bytes block by block, %d in one go (%v)", len(got), len(want), err)
		}
	})
}

// FuzzOpen: nothing panics, and a stream of any format ends.
func FuzzOpen(f *testing.F) {
	data := sample(f)
	f.Add(data)
	f.Add(xzBytes(f, data, 1000))
	f.Add(gzipBytes(f, data))
	f.Add(zstdBytes(f, data))
	f.Fuzz(func(t *testing.T, data []byte) {
		if packed.Detect(data) == packed.XZ {
			// An index may ask for dictionaries, within the limit; that is slow, and known to work.
			r := bytes.NewReader(data)
			if blocks, err := readXZIndex(r, r.Size()); err == nil {
				if dict, err := readDicts(r, blocks); err == nil && dict > 1<<20 {
					return
				}
			}
		}
		got, _, err := unpackFile(t, tempFile(t), data)
		if err == nil && len(got) < 2*blockSize {
			t.Fatalf("%d bytes pass for a tar", len(got))
		}
	})
}

// FuzzExclude: a pattern that compiles matches what it names and everything below.
func FuzzExclude(f *testing.F) {
	f.Add("/usr/src/linux-*", "usr/src/linux-5")
	f.Add("/**/a/**/[!b]", "x/a/c")
	f.Fuzz(func(t *testing.T, text, name string) {
		p, err := compileExclude([]string{text})
		if err != nil {
			if !errors.Is(err, errPattern) {
				t.Fatal(err)
			}
			return
		}
		m, err := layers.MemberOf(&tar.Header{Name: name, Typeflag: tar.TypeDir})
		if err != nil || m.Path == "" {
			return
		}
		clean := m.Path
		if excluded(p, clean) != (excluded(p, clean+"/below") && excluded(p, clean)) {
			t.Fatal("matches, but not what lies below")
		}
		if excluded(p, clean) && !p[0].used {
			t.Fatal("not marked as used")
		}
	})
}
