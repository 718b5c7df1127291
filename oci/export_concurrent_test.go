package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/testutil"
)

func TestExportCancelled(t *testing.T) {
	t.Parallel()
	m := newMemory()
	ref := Ref{Name: "a", Descriptor: simpleImage(t, m, "1").Descriptor}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	dir := filepath.Join(t.TempDir(), "x")
	if _, err := Export(ctx, m, dir, []Ref{ref}, ExportOptions{}); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	// While somebody else has the lock.
	s, err := (&Layout{dir: dir}).begin(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.end(nil)
	ctx, cancel = context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := Export(ctx, m, dir, []Ref{ref}, ExportOptions{}); !errors.Is(err, context.DeadlineExceeded) {
		t.Error(err)
	}
}

// Many exports into one layout that is not there yet, some of which fail: each that succeeded is in it.
func TestExportsAtOnce(t *testing.T) {
	t.Parallel()
	for round := range 5 {
		m := newMemory()
		dir := filepath.Join(t.TempDir(), "deep", "layout")
		shared := addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"shared": "x"})
		var wg sync.WaitGroup
		var want []string
		for i := range 16 {
			img := addImage(t, m, amd64, shared, addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"own": fmt.Sprint(i)}))
			name := fmt.Sprintf("r%02d", i)
			var src BlobSource = m
			fails := i%4 == 3
			if fails {
				src = SourceFunc(func(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
					if d == img.Layers[1].Digest {
						return nil, syscall.EIO
					}
					return m.Open(ctx, d)
				})
			} else {
				want = append(want, name)
			}
			wg.Go(func() {
				_, err := Export(t.Context(), src, dir, []Ref{{Name: name, Descriptor: img.Descriptor}}, ExportOptions{})
				if fails != errors.Is(err, syscall.EIO) || !fails && err != nil {
					t.Errorf("%s: %v", name, err)
				}
			})
		}
		wg.Wait()
		if got := refNames(t, dir); got != strings.Join(want, " ") {
			t.Errorf("round %d: %s", round, got)
		}
		if out := newMemory(); len(want) > 0 {
			for _, name := range want {
				if _, err := importText(t.Context(), "oci:"+dir+":"+name, out, ImportOptions{}); err != nil {
					t.Errorf("round %d: %v", round, err)
				}
			}
		}
		if got := files(t, dir); strings.Contains(got, ".part") || strings.Count(got, "\n") != 5+1+len(want)*3 {
			t.Errorf("round %d: %s", round, got)
		}
	}
}

// From files: the copy is its own, with its own permissions.
func TestExportFromFiles(t *testing.T) {
	t.Parallel()
	m := newMemory()
	ref := Ref{Name: "a", Descriptor: simpleImage(t, m, strings.Repeat("text", 100000)).Descriptor}
	from, to := t.TempDir(), t.TempDir()
	mustExport(t, m, from, ref)
	src, err := OpenLayout(from)
	if err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(filepath.Join(from, "blobs", "sha256"))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.Chmod(filepath.Join(from, "blobs", "sha256", e.Name()), 0o400); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := Export(t.Context(), src, to, []Ref{ref}, ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	if x, y := files(t, from), files(t, to); x != y {
		t.Errorf("%s\n%s", x, y)
	}
	for _, e := range entries {
		a, err := os.Stat(filepath.Join(from, "blobs", "sha256", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.Stat(filepath.Join(to, "blobs", "sha256", e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if os.SameFile(a, b) || b.Mode().Perm()&0o600 != 0o600 {
			t.Errorf("%s: same file or mode %v", e.Name(), b.Mode())
		}
	}
	if err := os.WriteFile(filepath.Join(from, "blobs", "sha256", entries[0].Name()), []byte("short"), 0o600); err != nil && os.Geteuid() == 0 {
		t.Fatal(err)
	}
}

// A full disk: a clear error, and everything as before.
func TestExportDiskFull(t *testing.T) {
	t.Parallel()
	testutil.NeedRoot(t)
	dir := t.TempDir()
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=256k"); err != nil {
		testutil.SkipOrFail(t, "cannot mount a tmpfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	m := newMemory()
	small := simpleImage(t, m, "1")
	var noise strings.Builder
	for i := range 20000 {
		noise.WriteString(digest.FromString(fmt.Sprint(i)).Encoded())
	}
	large := addImage(t, m, amd64, addLayer(t, m, v1.MediaTypeImageLayer, map[string]string{"noise": noise.String()}))
	files1 := t.TempDir()
	mustExport(t, m, files1, Ref{Name: "l", Descriptor: large.Descriptor})
	onDisk, err := OpenLayout(files1)
	if err != nil {
		t.Fatal(err)
	}
	mustExport(t, m, dir, Ref{Name: "x", Descriptor: small.Descriptor})
	before := files(t, dir)
	for _, src := range []BlobSource{m, onDisk} {
		_, err := Export(t.Context(), src, dir, []Ref{{Name: "x", Descriptor: large.Descriptor}}, ExportOptions{})
		if !errors.Is(err, syscall.ENOSPC) || !strings.Contains(hintOf(t, err), "room") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%v", err)
		}
		if after := files(t, dir); after != before {
			t.Errorf("changed from\n%sto\n%s", before, after)
		}
		_, err = Export(t.Context(), src, filepath.Join(dir, "new"), []Ref{{Name: "x", Descriptor: large.Descriptor}}, ExportOptions{})
		if !errors.Is(err, syscall.ENOSPC) {
			t.Error(err)
		}
		if after := files(t, dir); after != before {
			t.Errorf("changed from\n%sto\n%s", before, after)
		}
	}
}
