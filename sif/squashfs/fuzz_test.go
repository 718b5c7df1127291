package squashfs

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"
)

// seeds are small whole filesystems of each compression, foreign ones included.
func seeds(f *testing.F) {
	items := []item{
		text("a/b/c", "some text, some text, some text"), data("blocks", prose(1, 3*4096+100)), data("raw", random(1, 4096)),
		data("holes", make([]byte, 5*4096)), {Entry: dir("d")}, {Entry: Entry{Path: "hard"}, link: "raw"},
		{Entry: Entry{Path: "l", Mode: modeSymlink | 0o777, Target: "a/b"}},
		{Entry: Entry{Path: "c", Mode: modeChar | 0o600, Major: 5, Minor: 1}},
		{Entry: Entry{Path: "x", Mode: modeFile | 0o600, Xattrs: map[string]string{"user.a": "b", "security.c": "d"}}},
		{Entry: Entry{Path: "f", Mode: modeFifo, Xattrs: map[string]string{"trusted.e": "f"}}},
	}
	for i := range 400 {
		items = append(items, item{Entry: file(fmt.Sprintf("many/%0*d", 20+i%9, i), 0)})
	}
	for _, c := range []string{compressGzip, compressZstd, compressXz} {
		for _, its := range [][]item{items, items[:9], nil} {
			b, err := os.ReadFile(build(f, Options{Compression: c, blockSize: 4096, Jobs: 1}, its...))
			if err != nil {
				f.Fatal(err)
			}
			f.Add(b)
			f.Add(b[:len(b)/2])
		}
	}
	foreign, err := filepath.Glob("testdata/*.sqfs")
	if err != nil || len(foreign) == 0 {
		f.Fatalf("no foreign filesystems in testdata: %v", err)
	}
	for _, name := range foreign {
		b, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
}

// FuzzReader reads whatever comes: no panic, no endless walk; and what a filesystem gives can be
// written, and reads back the same.
func FuzzReader(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, b []byte) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		r, err := NewReader(bytes.NewReader(b), int64(len(b)))
		if err != nil {
			return
		}
		items, ok := readItems(ctx, t, r)
		if !ok {
			return
		}
		again := open(t, build(t, Options{blockSize: 4096, Jobs: 1}, items...))
		if err := again.Verify(ctx); err != nil {
			t.Fatalf("what was read does not verify when written: %v", err)
		}
		sameFacts(t, "again", readFacts(t, again), expect(t, Options{}, items...), nil)
	})
}

// readItems turns a filesystem into the calls that make it; ok is false where it is damaged, or larger
// than a fuzzer has time for.
func readItems(ctx context.Context, t *testing.T, r *Reader) (items []item, ok bool) {
	first := map[uint64]string{}
	total := int64(0)
	err := r.Walk(func(f *File) error {
		if ctx.Err() != nil {
			t.Fatal("the walk takes too long")
		}
		attrs, err := f.ReadXattrs()
		if err != nil {
			return err
		}
		if len(items) > 5000 {
			return io.ErrShortBuffer
		}
		if of, ok := first[f.ref]; ok && f.typ != typeDir {
			items = append(items, item{Entry: Entry{Path: f.Path}, link: of})
			return nil
		}
		first[f.ref] = f.Path
		it := item{Entry: f.Entry}
		it.Xattrs = attrs
		if f.typ == typeFile {
			if total += f.Size; total > 1<<20 {
				return io.ErrShortBuffer
			}
			if it.data, err = io.ReadAll(f.Data()); err != nil {
				return err
			}
			if int64(len(it.data)) != f.Size {
				t.Fatalf("%q gives %d bytes, not %d", f.Path, len(it.data), f.Size)
			}
		}
		if g, err := r.lookup(f.Path); err == nil && g.ref != f.ref && f.indexed == 0 {
			t.Fatalf("Lookup %q finds another inode", f.Path)
		}
		items = append(items, it)
		return nil
	})
	return items, err == nil && storable(items)
}

// storable leaves out what the format holds and Linux does not.
func storable(items []item) bool {
	for _, it := range items {
		if len(it.Target) > maxTarget || bytes.IndexByte([]byte(it.Target), 0) >= 0 {
			return false
		}
		for name := range it.Xattrs {
			if len(name) > maxXattrName || bytes.IndexByte([]byte(name), 0) >= 0 {
				return false
			}
		}
	}
	return true
}

// FuzzWriter plays a sequence of calls taken from bytes, and compares with a model.
func FuzzWriter(f *testing.F) {
	f.Add([]byte("0a1b2c3d4e5f6g7h8i9j"))
	f.Add([]byte("\x00\x11\x22\x33\x44\x55\x66\x77\x88\x99\xaa\xbb\xcc\xdd\xee\xff"))
	f.Fuzz(func(t *testing.T, b []byte) {
		var taken []item
		image := buildWith(t, Options{blockSize: 4096, Jobs: 2}, func(w *Writer) {
			for ; len(b) >= 4; b = b[4:] {
				it := fuzzItem(b)
				var err error
				if it.link != "" {
					err = w.Link(it.Path, it.link)
				} else {
					err = w.Add(it.Entry, bytes.NewReader(it.data))
				}
				if err == nil {
					taken = append(taken, it)
				} else if errors.Is(err, io.ErrUnexpectedEOF) {
					t.Fatal(err)
				}
			}
		})
		r := open(t, image)
		if err := r.Verify(t.Context()); err != nil {
			t.Fatal(err)
		}
		sameFacts(t, "reader", readFacts(t, r), expect(t, Options{}, taken...), nil)
	})
}

// fuzzItem makes a call of four bytes.
func fuzzItem(b []byte) item {
	p := ""
	for i := range b[0] % 4 {
		p += fmt.Sprintf("/%c", 'a'+(b[1]>>(2*i))&3)
	}
	it := item{Entry: Entry{Path: p, UID: uint32(b[2] % 3), Mode: uint32(b[3]) * 0o111 & modePerm}}
	switch b[0] >> 2 % 8 {
	case 0, 1:
		it.Mode |= modeDir
	case 2:
		it.link = fmt.Sprintf("%c/%c", 'a'+b[2]&3, 'a'+b[3]&3)[:1+2*(b[0]>>6&1)]
	case 3:
		it.Mode |= modeSymlink
		it.Target = string(rune('A' + b[2]))
	case 4:
		it.Mode |= modeFifo
		it.Xattrs = map[string]string{"user.f": string(b[2:3])}
	default:
		it.Mode |= modeFile
		n := int(b[2]) * int(b[3])
		switch b[0] >> 6 {
		case 0:
			it.data = make([]byte, n)
		case 1:
			it.data = bytes.Repeat(b[2:4], n)
		default:
			it.data = random(uint64(b[3]), n)
		}
		it.Size = int64(len(it.data))
	}
	return it
}
