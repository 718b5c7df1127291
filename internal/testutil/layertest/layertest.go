// Package layertest makes the tar streams of layers for tests, and has a table of images with what is visible in them.
package layertest

import (
	"archive/tar"
	"bytes"
	"io"
	"testing"
	"time"
)

// Time is the time of everything that says no other.
var Time = time.Unix(1655337600, 0).UTC()

// An Item is a member of a test's layer.
type Item struct {
	tar.Header
	Data string
}

// Reg is a regular file of mode 0644.
func Reg(name, data string) Item {
	return Item{tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data))}, data}
}

// Dir is a directory.
func Dir(name string, mode int64) Item {
	return Item{Header: tar.Header{Name: name, Typeflag: tar.TypeDir, Mode: mode}}
}

// Sym is a symbolic link.
func Sym(name, target string) Item {
	return Item{Header: tar.Header{Name: name, Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: target}}
}

// Hard is a hard link.
func Hard(name, target string) Item {
	return Item{Header: tar.Header{Name: name, Typeflag: tar.TypeLink, Mode: 0o644, Linkname: target}}
}

// Char is a character device.
func Char(name string, major, minor int64) Item {
	return Item{Header: tar.Header{Name: name, Typeflag: tar.TypeChar, Mode: 0o600, Devmajor: major, Devminor: minor}}
}

// Wh is an empty file, as whiteouts are.
func Wh(name string) Item { return Reg(name, "") }

// Tar writes items as a tar stream.
func Tar(t testing.TB, items ...Item) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, it := range items {
		h := it.Header
		if h.ModTime.IsZero() {
			h.ModTime = Time
		}
		if err := w.WriteHeader(&h); err != nil {
			t.Fatalf("%s: %v", h.Name, err)
		}
		if _, err := io.WriteString(w, it.Data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}
