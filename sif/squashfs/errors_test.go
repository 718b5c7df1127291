package squashfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

func isLimit(err error) bool { return errors.Is(err, errLimit) }

// TestRefused gives one wrong call after another; the rest of the filesystem must come out right.
func TestRefused(t *testing.T) {
	okay := []item{{Entry: dir("d")}, text("f", "data"), {Entry: Entry{Path: "l", Mode: modeSymlink | 0o777, Target: "f"}}}
	image := buildWith(t, Options{}, func(w *Writer) {
		for _, it := range okay {
			addItem(t, w, it)
		}
		for _, c := range []struct {
			Entry
			link string
			want error // nil: any
		}{
			{Entry: dir("d"), want: fs.ErrExist}, {Entry: dir("f"), want: fs.ErrExist}, {Entry: file("/f", 1), want: fs.ErrExist},
			{Entry: file("d/", 0), want: fs.ErrExist}, {Entry: file("f/x", 0), want: fs.ErrExist}, {Entry: file("l/x/y", 0), want: fs.ErrExist},
			{Entry: file(".", 0), want: fs.ErrExist}, {Entry: file("new/../x", 0)}, {Entry: file("..", 0)}, {Entry: file("a\x00b", 0)},
			{Entry: file("new/"+strings.Repeat("n", 257), 0), want: errLimit}, {Entry: file("new/x", -1)}, {Entry: file("new/x", 1)},
			{Entry: Entry{Path: "new/x", Mode: 0o644}}, {Entry: Entry{Path: "new/x", Mode: modeFile | 0o200644}},
			{Entry: Entry{Path: "new/x", Mode: modeSymlink}}, {Entry: Entry{Path: "new/x", Mode: modeSymlink, Target: "a\x00"}},
			{Entry: Entry{Path: "new/x", Mode: modeSymlink, Target: strings.Repeat("t", 4096)}, want: errLimit},
			{Entry: Entry{Path: "new/x", Mode: modeChar, Major: 4096}, want: errLimit},
			{Entry: Entry{Path: "new/x", Mode: modeBlock, Minor: 1 << 20}, want: errLimit},
			{Entry: Entry{Path: "new/x", Mode: modeFile, Xattrs: map[string]string{"system.posix_acl_access": "x"}}, want: errLimit},
			{Entry: Entry{Path: "new/x", Mode: modeFile, Xattrs: map[string]string{"user.": "x"}}},
			{Entry: Entry{Path: "new/x", Mode: modeFile, Xattrs: map[string]string{"user.x": strings.Repeat("x", 1<<16+1)}}, want: errLimit},
			{Entry: Entry{Path: "new/x", Mode: modeFile, Xattrs: map[string]string{"user." + strings.Repeat("x", 251): ""}}, want: errLimit},
			{Entry: Entry{Path: "f"}, link: "l", want: fs.ErrExist}, {Entry: Entry{Path: "new/x"}, link: "no", want: fs.ErrNotExist},
			{Entry: Entry{Path: "new/x"}, link: "d", want: fs.ErrInvalid}, {Entry: Entry{Path: "new/x"}, link: ".", want: fs.ErrInvalid},
			{Entry: Entry{Path: "l/x"}, link: "f", want: fs.ErrExist}, {Entry: Entry{Path: "../x"}, link: "f"}, {Entry: Entry{Path: "new/x"}, link: "../f"},
		} {
			var err error
			if c.link != "" {
				err = w.Link(c.Path, c.link)
			} else {
				err = w.Add(c.Entry, nil)
			}
			if err == nil || c.want != nil && !errors.Is(err, c.want) {
				t.Errorf("%+v: %v, not %v", c, err, c.want)
			}
		}
	})
	r := open(t, image)
	if err := r.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	sameFacts(t, "reader", readFacts(t, r), expect(t, Options{}, okay...), nil)
}

// TestLimitsHold stores what is exactly at a limit.
func TestLimitsHold(t *testing.T) {
	items := []item{
		data(strings.Repeat("n", 256), []byte("x")),
		{Entry: Entry{Path: "l", Mode: modeSymlink | 0o777, Target: strings.Repeat("t", 4095)}},
		{Entry: Entry{Path: "x", Mode: modeFile, Xattrs: map[string]string{
			"user.big": string(random(1, 1<<16)), "user." + strings.Repeat("x", 250): "", "trusted.big": strings.Repeat("z", 1<<16),
		}}},
	}
	r := open(t, build(t, Options{}, items...))
	if err := r.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	sameFacts(t, "reader", readFacts(t, r), expect(t, Options{}, items...), nil)
}

func TestOptionsRefused(t *testing.T) {
	for _, o := range []Options{
		{Compression: "lzo"}, {level: 10}, {level: -1}, {Compression: compressXz, level: 1}, {Compression: compressZstd, level: 23},
		{blockSize: 2048}, {blockSize: 100000}, {blockSize: 1 << 21}, {Jobs: -1},
	} {
		if _, err := NewWriter(FileOutput(nil, 0), o); err == nil {
			t.Errorf("%+v was taken", o)
		}
	}
}

// failing is an output that is full at some size.
type failing struct {
	Output
	limit int64
}

var errFullDisk = errors.New("no space left")

func (f failing) WriteAt(p []byte, off int64) (int, error) {
	if off+int64(len(p)) > f.limit {
		return 0, errFullDisk
	}
	return f.Output.WriteAt(p, off)
}

// TestOutputFails lets the output fail at every stage: the error must come out and everything must end.
func TestOutputFails(t *testing.T) {
	testutil.NoLeaks(t)
	items, o := manyFiles(testBlock()), Options{Jobs: 3, blockSize: testBlock(), level: 1}
	st, err := os.Stat(build(t, o, items...))
	if err != nil {
		t.Fatal(err)
	}
	for _, limit := range []int64{0, 50, 1 << 17, st.Size() / 2, st.Size() - 20000, st.Size() - 5000, st.Size() - 1} {
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewWriter(failing{FileOutput(f, 0), limit}, o)
		if err != nil {
			t.Fatal(err)
		}
		var first error
		for _, it := range items {
			if first = w.Add(it.Entry, bytes.NewReader(it.data)); first != nil {
				break
			}
		}
		_, cerr := w.Close()
		if !errors.Is(cerr, errFullDisk) || first != nil && !errors.Is(first, errFullDisk) {
			t.Errorf("limit %d: Add %v, Close %v", limit, first, cerr)
		}
		f.Close()
	}
}

// TestShortData ends data too early, in every kind of block.
func TestShortData(t *testing.T) {
	testutil.NoLeaks(t)
	for _, c := range []struct{ size, have int }{
		{1, 0}, {100, 99}, {defaultBlockSize, defaultBlockSize - 1}, {defaultBlockSize + 10, defaultBlockSize}, {40 * defaultBlockSize, 39 * defaultBlockSize},
	} {
		f, err := os.Create(filepath.Join(t.TempDir(), "out"))
		if err != nil {
			t.Fatal(err)
		}
		w, err := NewWriter(FileOutput(f, 0), Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Add(file("f", int64(c.size)), bytes.NewReader(random(1, c.have))); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%d of %d: %v", c.have, c.size, err)
		}
		if err := w.Add(dir("d"), nil); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Add goes on after an error: %v", err)
		}
		if _, err := w.Close(); !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("Close after an error: %v", err)
		}
		f.Close()
	}
}

// TestEnded calls an ended Writer, and one that only takes what it needs from data.
func TestEnded(t *testing.T) {
	testutil.NoLeaks(t)
	f, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w, err := NewWriter(FileOutput(f, 0), Options{})
	if err != nil {
		t.Fatal(err)
	}
	r := strings.NewReader("three more")
	if err := w.Add(file("f", 5), r); err != nil || r.Len() != 5 {
		t.Errorf("%d bytes left: %v", r.Len(), err)
	}
	w.Abort()
	w.Abort()
	if err := w.Add(dir("d"), nil); !errors.Is(err, errClosed) {
		t.Errorf("Add: %v", err)
	}
	if err := w.Link("a", "f"); !errors.Is(err, errClosed) {
		t.Errorf("Link: %v", err)
	}
	if _, err := w.Close(); !errors.Is(err, errClosed) {
		t.Errorf("Close: %v", err)
	}
}

// TestBase writes behind something else, as in a SIF file.
func TestBase(t *testing.T) {
	items, o := manyFiles(testBlock()), Options{blockSize: testBlock(), level: 1}
	plain, err := os.ReadFile(build(t, o, items...))
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "sif"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	const base = 32768
	if _, err := f.WriteAt(bytes.Repeat([]byte{7}, base), 0); err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(FileOutput(f, base), o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	for _, it := range items {
		addItem(t, w, it)
	}
	if n, err := w.Close(); err != nil || n != int64(len(plain)) {
		t.Fatalf("%d bytes, %v", n, err)
	}
	got, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got[:base], bytes.Repeat([]byte{7}, base)) || !bytes.Equal(got[base:], plain) {
		t.Error("a base changes more than the place")
	}
	if _, err := NewReader(io.NewSectionReader(f, base, int64(len(plain))), int64(len(plain))); err != nil {
		t.Error(err)
	}
}

// TestDeep nests directories deeper than any path may be: nothing recurses.
func TestDeep(t *testing.T) {
	const depth = 30_000
	image := buildWith(t, Options{}, func(w *Writer) {
		if err := w.Add(dir(strings.Repeat("d/", depth)), nil); err != nil {
			t.Fatal(err)
		}
	})
	n := 0
	err := open(t, image).Walk(func(f *File) error {
		if n++; n > 1000 {
			return fmt.Errorf("deep: %w", fs.ErrClosed)
		}
		return nil
	})
	if !errors.Is(err, fs.ErrClosed) {
		t.Error(err)
	}
}
