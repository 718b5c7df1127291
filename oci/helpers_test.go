package oci

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/testutil"
)

var epoch = time.Date(2022, 6, 16, 1, 2, 3, 0, time.UTC)

var amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}

// memory is a blob source and sink without files. Its readers are no *os.File.
type memory struct {
	mu     sync.Mutex
	blobs  map[digest.Digest][]byte
	opened []digest.Digest
	limit  int // a write of more than this fails; 0 is none
	aborts int
}

func newMemory() *memory { return &memory{blobs: map[digest.Digest][]byte{}} }

func (m *memory) Open(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.opened = append(m.opened, d)
	b, ok := m.blobs[d]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: d.String(), Err: fs.ErrNotExist}
	}
	return io.NopCloser(bytes.NewReader(b)), nil
}

func (m *memory) put(b []byte) digest.Digest {
	m.mu.Lock()
	defer m.mu.Unlock()
	d := digest.FromBytes(b)
	m.blobs[d] = b
	return d
}

func (m *memory) Create(context.Context) (BlobWriter, error) { return &memoryWriter{m: m}, nil }

type memoryWriter struct {
	bytes.Buffer
	m    *memory
	done bool
}

func (w *memoryWriter) Write(p []byte) (int, error) {
	if w.m.limit > 0 && w.Len()+len(p) > w.m.limit {
		return 0, syscall.ENOSPC
	}
	return w.Buffer.Write(p)
}

func (w *memoryWriter) Commit() (digest.Digest, int64, error) {
	w.done = true
	return w.m.put(w.Bytes()), int64(w.Len()), nil
}

func (w *memoryWriter) Abort() {
	if !w.done {
		w.m.aborts++
	}
	w.done = true
}

// tarOf makes a tar stream of regular files.
func tarOf(t testing.TB, files map[string]string) []byte {
	t.Helper()
	var members []testutil.Member
	for _, name := range slices.Sorted(maps.Keys(files)) {
		members = append(members, testutil.File(name, files[name]).WithTime(epoch))
	}
	return testutil.Tar(t, members...)
}

func compressWith(t testing.TB, mediaType string, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	var w io.WriteCloser
	switch mediaType {
	case v1.MediaTypeImageLayer:
		return data
	case v1.MediaTypeImageLayerGzip:
		w = gzip.NewWriter(&b)
	case v1.MediaTypeImageLayerZstd:
		z, err := zstd.NewWriter(&b)
		if err != nil {
			t.Fatal(err)
		}
		w = z
	default:
		t.Fatalf("media type %s", mediaType)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// addLayer puts a layer with one file into m.
func addLayer(t testing.TB, m *memory, mediaType string, files map[string]string) LayerRef {
	t.Helper()
	plain := tarOf(t, files)
	blob := compressWith(t, mediaType, plain)
	d := m.put(blob)
	return LayerRef{Descriptor: v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(blob))}, DiffID: digest.FromBytes(plain)}
}

// addImage builds an image of the layers and puts its documents into m.
func addImage(t testing.TB, m *memory, p v1.Platform, layers ...LayerRef) *Image {
	t.Helper()
	s := ImageSpec{Platform: p, Created: epoch, Layers: layers, Config: v1.ImageConfig{Env: []string{"PATH=/bin"}}}
	for i := range layers {
		s.History = append(s.History, NodeHistory(fmt.Sprintf("node%d", i), digest.FromString("script"), epoch, false))
	}
	img, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	m.put(img.Config)
	m.put(img.Manifest)
	return img
}

// simpleImage is an image of one gzip layer that holds text.
func simpleImage(t testing.TB, m *memory, text string) *Image {
	t.Helper()
	return addImage(t, m, amd64, addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"etc/text": text}))
}

func mustExport(t testing.TB, m *memory, dir string, refs ...Ref) ExportResult {
	t.Helper()
	r, err := Export(t.Context(), m, dir, refs, ExportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// files lists a directory tree with sizes and contents' digests, for comparisons.
func files(t testing.TB, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		if e.IsDir() {
			fmt.Fprintf(&b, "%s/\n", rel)
			return nil
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %s\n", rel, digest.FromBytes(data))
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func refNames(t testing.TB, dir string) string {
	t.Helper()
	l, err := OpenLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	refs, err := l.Refs()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, r := range refs {
		names = append(names, r.Name)
	}
	return strings.Join(names, " ")
}

func hasBlob(t testing.TB, dir string, d v1.Descriptor) bool {
	t.Helper()
	l := &Layout{dir: dir}
	ok, err := l.hasSize(d)
	if err != nil {
		t.Fatal(err)
	}
	return ok
}

// unprivileged runs f so that the file system's permissions count, for root too.
func unprivileged(t testing.TB, f func()) {
	t.Helper()
	if os.Geteuid() != 0 {
		f()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := syscall.Setfsuid(65534); err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := syscall.Setfsuid(0); err != nil {
			t.Fatal(err)
		}
	}()
	f()
}

func hintOf(t testing.TB, err error) string {
	t.Helper()
	var h interface{ Hint() string }
	if !errors.As(err, &h) {
		t.Fatalf("no hint in %v", err)
	}
	return h.Hint()
}

// sinkFunc is a function as a [BlobSink].
type sinkFunc func(ctx context.Context) (BlobWriter, error)

func (f sinkFunc) Create(ctx context.Context) (BlobWriter, error) { return f(ctx) }
