package sif

import (
	"archive/tar"
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
	"xtoo/layers/merge"
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

// writeSIF writes an image into a file of the test's own directory.
func writeSIF(t testing.TB, img Image, o Options) (string, written) {
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
	info, err := write(context.Background(), f, img, o)
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
func unsquash(t testing.TB, sif string, info written) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "root")
	testutil.Run(t, "unsquashfs", "-no-progress", "-quiet", "-strict-errors", "-offset", fmt.Sprint(info.partitionOffset), "-dest", dir, sif)
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
