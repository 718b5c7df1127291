package sif

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
	"xtoo/layers/merge"
	"xtoo/sif/squashfs"
)

// testTime is the time of everything that says no other.
var testTime = testutil.Day

type item = layertest.Item

var (
	reg    = layertest.Reg
	folder = layertest.Dir
	sym    = layertest.Sym
	hard   = layertest.Hard
	char   = layertest.Char
	wh     = layertest.Wh
	tarOf  = layertest.Tar
)

// layersOf makes layers of tar streams, in the order given: topmost first.
func layersOf(tars ...[]byte) []merge.Layer {
	var out []merge.Layer
	for _, b := range tars {
		out = append(out, merge.Layer{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }})
	}
	return out
}

// memory is a filesystem that remembers what it is given, and refuses what a real one must.
type memory struct {
	files map[string]*memoryFile
	adds  int
}

type memoryFile struct {
	squashfs.Entry
	data  string
	names []string
}

func (m *memory) Add(e squashfs.Entry, data io.Reader) error {
	if _, ok := m.files[e.Path]; ok {
		return fmt.Errorf("add %q: %w", e.Path, fs.ErrExist)
	}
	if err := m.parents(e.Path); err != nil {
		return err
	}
	f := &memoryFile{Entry: e, names: []string{e.Path}}
	if e.Mode&unix.S_IFMT == unix.S_IFREG && e.Size > 0 {
		if e.Size > 64<<20 {
			return fmt.Errorf("add %q: %w", e.Path, squashfs.ErrLimit)
		}
		b := make([]byte, e.Size)
		if _, err := io.ReadFull(data, b); err != nil {
			return err
		}
		f.data = string(b)
	}
	m.files[e.Path] = f
	m.adds++
	return nil
}

// parents refuses what stands below a file, whichever came first.
func (m *memory) parents(name string) error {
	for d := path.Dir(name); d != "."; d = path.Dir(d) {
		if f := m.files[d]; f != nil && f.Mode&unix.S_IFMT != unix.S_IFDIR {
			return fmt.Errorf("add %q: %q is no directory", name, d)
		}
	}
	for n := range m.files {
		if strings.HasPrefix(n, name+"/") && name != "" {
			return nil // the mode of name itself is checked when the next child comes, or by the render
		}
	}
	return nil
}

func (m *memory) Link(name, target string) error {
	f := m.files[target]
	if f == nil {
		return fmt.Errorf("link %q to %q: %w", name, target, fs.ErrNotExist)
	}
	if _, ok := m.files[name]; ok {
		return fmt.Errorf("link %q: %w", name, fs.ErrExist)
	}
	f.names = append(f.names, name)
	m.files[name] = f
	return m.parents(name)
}

func (m *memory) Close() (int64, error) { return 4096, nil }
func (m *memory) Abort()                {}

var ownNames = sync.OnceValue(func() map[string]bool {
	names := map[string]bool{"": true, ".": true}
	files, err := overlayFiles(Image{})
	if err != nil {
		panic(err)
	}
	for _, f := range append(files, neededFiles()...) {
		names[f.name] = true
	}
	return names
})

// own says whether a path is of the files that this package adds.
func own(name string) bool { return ownNames()[name] || strings.HasPrefix(name, dirName) }

// pack packs layers into a memory.
func pack(tars ...[]byte) (*memory, Info, error) {
	var mem *memory
	var info Info
	_, err := packImage(context.Background(), Image{Layers: layersOf(tars...), Created: testTime}, Options{Log: slog.New(slog.DiscardHandler)}, &info, func() (filesystem, error) {
		mem = &memory{files: map[string]*memoryFile{}}
		return mem, nil
	})
	return mem, info, err
}

// writeSIF writes an image into a file of the test's own directory.
func writeSIF(t testing.TB, img Image, o Options) (string, Info) {
	t.Helper()
	if img.Arch == "" && img.Config.Architecture == "" {
		img.Arch = "amd64"
	}
	if img.Created.IsZero() {
		img.Created = testTime
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "image.sif"))
	if err != nil {
		t.Fatal(err)
	}
	info, err := Write(context.Background(), f, img, o)
	if err != nil {
		f.Close()
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return f.Name(), info
}

// unsquash unpacks the partition of a SIF file with unsquashfs.
func unsquash(t testing.TB, sif string, info Info) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "root")
	testutil.Run(t, "unsquashfs", "-no-progress", "-quiet", "-strict-errors", "-offset", fmt.Sprint(info.PartitionOffset), "-dest", dir, sif)
	return dir
}

func tarHeader(name string, mode int64) tar.Header {
	return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: mode}
}

func blockHeader() tar.Header {
	return tar.Header{Name: "dev/loop0", Typeflag: tar.TypeBlock, Mode: 0o660, Gid: 6, Devmajor: 7}
}

func fifoHeader() tar.Header { return tar.Header{Name: "pipe", Typeflag: tar.TypeFifo, Mode: 0o644} }

func chrooted(root string) *syscall.SysProcAttr { return &syscall.SysProcAttr{Chroot: root} }
