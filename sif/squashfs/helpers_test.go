package squashfs

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xtoo/internal/testutil"
)

// day is the time of most test entries.
var day = time.Date(2022, 6, 16, 12, 34, 56, 0, time.UTC)

func dir(path string) Entry { return Entry{Path: path, Mode: modeDir | 0o755, ModTime: day} }

func file(path string, size int64) Entry {
	return Entry{Path: path, Mode: modeFile | 0o644, ModTime: day, Size: size}
}

// testBlock is the block size of tests in which many blocks count, and not their size: a small one, unless slow cases
// run, which take the default.
func testBlock() int {
	if testutil.IsLong() {
		return defaultBlockSize
	}
	return 16 << 10
}

// item is an entry with its data, or a link.
type item struct {
	Entry
	data []byte
	link string
}

func text(path, data string) item {
	return item{Entry: file(path, int64(len(data))), data: []byte(data)}
}

// build writes items into a file of the test's directory and returns its path.
func build(t testing.TB, o Options, items ...item) string {
	t.Helper()
	return buildWith(t, o, func(w *Writer) {
		for _, it := range items {
			addItem(t, w, it)
		}
	})
}

func addItem(t testing.TB, w *Writer, it item) {
	t.Helper()
	var err error
	if it.link != "" {
		err = w.Link(it.Path, it.link)
	} else {
		err = w.Add(it.Entry, bytes.NewReader(it.data))
	}
	if err != nil {
		t.Fatal(err)
	}
}

func buildWith(t testing.TB, o Options, fill func(w *Writer)) string {
	t.Helper()
	f, err := os.Create(filepath.Join(t.TempDir(), "fs.sqfs"))
	if err != nil {
		t.Fatal(err)
	}
	w, err := NewWriter(FileOutput(f, 0), o)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	fill(w)
	size, err := w.Close()
	if err != nil {
		t.Fatal(err)
	}
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	if st.Size() != size || size%padding != 0 {
		t.Fatalf("Close says %d bytes, the file has %d", size, st.Size())
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name()
}

// open returns a Reader of a file that is closed with the test.
func open(t testing.TB, name string) *Reader {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	st, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	r, err := NewReader(f, st.Size())
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// mount mounts a filesystem read-only through a loop device until the test ends, and returns where.
func mount(t testing.TB, name string) string {
	t.Helper()
	testutil.NeedRoot(t)
	testutil.Need(t, "mount", "umount")
	at := t.TempDir()
	if out, err := exec.Command("mount", "-t", "squashfs", "-o", "loop,ro", name, at).CombinedOutput(); err != nil {
		if _, serr := os.Stat("/dev/loop-control"); serr != nil {
			testutil.SkipOrFail(t, "no loop devices: %v", serr)
		}
		t.Fatalf("mount: %v\n%s", err, out)
	}
	t.Cleanup(func() { testutil.Run(t, "umount", at) })
	return at
}

// addTar adds the members of a tar in their order, the way a layer is packed.
func addTar(w *Writer, r io.Reader) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read tar: %w", err)
		}
		if h.Typeflag == tar.TypeLink {
			if err := w.Link(h.Name, h.Linkname); err != nil {
				return err
			}
			continue
		}
		if err := w.Add(tarEntry(h), tr); err != nil {
			return err
		}
	}
}

func tarEntry(h *tar.Header) Entry {
	e := Entry{
		Path: h.Name, UID: uint32(h.Uid), GID: uint32(h.Gid), ModTime: h.ModTime, Target: h.Linkname,
		Major: uint32(h.Devmajor), Minor: uint32(h.Devminor), Size: h.Size,
	}
	typ := map[byte]uint32{
		tar.TypeDir: modeDir, tar.TypeReg: modeFile, tar.TypeSymlink: modeSymlink, tar.TypeBlock: modeBlock,
		tar.TypeChar: modeChar, tar.TypeFifo: modeFifo, tar.TypeGNUSparse: modeFile,
	}[h.Typeflag]
	e.Mode = typ | uint32(h.Mode)&modePerm
	for k, v := range h.PAXRecords {
		if name, ok := strings.CutPrefix(k, "SCHILY.xattr."); ok {
			if e.Xattrs == nil {
				e.Xattrs = map[string]string{}
			}
			e.Xattrs[name] = v
		}
	}
	return e
}

// clean is a path as Walk gives it.
func clean(p string) string { return path.Clean(strings.TrimLeft(p, "/")) }

// collect walks a filesystem.
func collect(t testing.TB, r *Reader) map[string]*File {
	t.Helper()
	files := map[string]*File{}
	if err := r.Walk(func(f *File) error { files[f.Path] = f; return nil }); err != nil {
		t.Fatal(err)
	}
	return files
}
