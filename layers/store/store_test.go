package store_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/testutil"
	"xtoo/layers"
	"xtoo/layers/store"
)

// kind is a kind of records that the store does not know.
const kind store.Kind = "tests/2"

func openStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// removeAll is a Remover for trees that the test itself owns.
func removeAll(_ context.Context, paths ...string) error {
	var all []error
	for _, p := range paths {
		all = append(all, os.RemoveAll(p))
	}
	return errors.Join(all...)
}

// someTar is a tar stream of about size bytes that compresses like programs do.
func someTar(t *testing.T, size int) []byte {
	t.Helper()
	r := rand.New(rand.NewPCG(1, uint64(size)))
	data := make([]byte, size)
	for i := range data {
		data[i] = byte(r.IntN(24))
	}
	return testutil.Tar(t, testutil.File("data", string(data)))
}

func putLayer(t *testing.T, s *store.Store, stream []byte, c layers.Compression, jobs int) store.Layer {
	t.Helper()
	w, err := s.NewLayer(context.Background(), c, jobs)
	if err != nil {
		t.Fatal(err)
	}
	for chunk := range slices.Chunk(stream, 100_003) {
		if _, err := w.Write(chunk); err != nil {
			t.Fatal(err)
		}
	}
	l, err := w.Commit()
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func TestLayerBytesDoNotDependOnJobs(t *testing.T) {
	stream := someTar(t, 4<<20)
	for _, c := range []layers.Compression{layers.Gzip, layers.Zstd, layers.None} {
		var first store.Layer
		for i, jobs := range []int{1, 2, 7} {
			l := putLayer(t, openStore(t), stream, c, jobs)
			if l.DiffID != digest.FromBytes(stream) {
				t.Errorf("%s: diff id %s is not the sha256 of the stream", c, l.DiffID)
			}
			if i == 0 {
				first = l
			} else if l.Blobs[c] != first.Blobs[c] {
				t.Errorf("%s: blob with %d jobs is %v, with 1 job %v", c, jobs, l.Blobs[c], first.Blobs[c])
			}
		}
	}
}

func TestOpenLayerGivesTheStreamBack(t *testing.T) {
	stream := someTar(t, 3<<20)
	for _, c := range []layers.Compression{layers.Gzip, layers.Zstd, layers.None} {
		s := openStore(t)
		l := putLayer(t, s, stream, c, 2)
		r, err := s.OpenLayer(l.DiffID)
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, stream) {
			t.Errorf("%s: read back %d bytes, %v", c, len(got), err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// Whatever is wrong with a blob (one of another size counts as lost), the error says so, and names the file to be deleted.
func TestDamagedBlobIsFound(t *testing.T) {
	stream := someTar(t, 1<<20)
	for _, c := range []layers.Compression{layers.Gzip, layers.Zstd, layers.None} {
		s := openStore(t)
		l := putLayer(t, s, stream, c, 1)
		path := filepath.Join(s.LayoutDir(), "blobs", "sha256", l.Blobs[c].Digest.Encoded())
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for what, bad := range map[string][]byte{
			"a flipped bit": slices.Concat(data[:5000], []byte{data[5000] ^ 1}, data[5001:]), "zeros": make([]byte, len(data)),
		} {
			if err := os.WriteFile(path, bad, 0o600); err != nil {
				t.Fatal(err)
			}
			r, err := s.OpenLayer(l.DiffID)
			if err == nil {
				_, err = io.ReadAll(r)
				err = errors.Join(err, r.Close())
			}
			if !errors.Is(err, store.ErrDamaged) || !strings.Contains(err.Error(), path) {
				t.Errorf("%s, %s: %v", c, what, err)
			}
		}
	}
}

func TestEnsureBlobCompressesAgain(t *testing.T) {
	stream := someTar(t, 2<<20)
	s := openStore(t)
	l := putLayer(t, s, stream, layers.Gzip, 2)
	both, err := s.EnsureBlob(context.Background(), l.DiffID, layers.Zstd, 2)
	if err != nil {
		t.Fatal(err)
	}
	direct := putLayer(t, openStore(t), stream, layers.Zstd, 2)
	if both.Blobs[layers.Zstd] != direct.Blobs[layers.Zstd] {
		t.Error("compressing again gives another blob than compressing at once")
	}
	if both.Blobs[layers.Gzip] != l.Blobs[layers.Gzip] {
		t.Error("the first blob is forgotten")
	}
}

func TestRecordLayerWantsTheBlob(t *testing.T) {
	s := openStore(t)
	if _, err := s.RecordLayer(digest.FromString("x"), 1, layers.Gzip, store.Blob{Digest: digest.FromString("y"), Size: 1}); err == nil {
		t.Error("a layer is recorded whose blob is not there")
	}
}

func TestAbortLeavesNothing(t *testing.T) {
	s := openStore(t)
	w, err := s.NewLayer(context.Background(), layers.Gzip, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(someTar(t, 3<<20)); err != nil {
		t.Fatal(err)
	}
	w.Abort()
	if err := s.Close(context.Background(), removeAll); err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"tmp", "oci/blobs/sha256", "cache/locks"} {
		if left, err := os.ReadDir(filepath.Join(s.Dir(), dir)); err != nil || len(left) > 0 {
			t.Errorf("%s holds %v, %v", dir, left, err)
		}
	}
}

func TestCancelledWriterFails(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	s := openStore(t)
	w, err := s.NewLayer(ctx, layers.None, 1)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Abort()
	cancel()
	if _, err := w.Write(make([]byte, 1000)); !errors.Is(err, context.Canceled) {
		t.Errorf("writing after cancellation gives %v", err)
	}
}

func TestLockExcludes(t *testing.T) {
	s := openStore(t)
	var inside, waited atomic.Int32
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for range 20 {
				unlock, err := s.Lock(context.Background(), "a node", func() { waited.Add(1) })
				if err != nil {
					t.Error(err)
					return
				}
				if n := inside.Add(1); n != 1 {
					t.Errorf("%d inside at a time", n)
				}
				time.Sleep(100 * time.Microsecond)
				inside.Add(-1)
				if err := unlock(); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	if waited.Load() == 0 {
		t.Error("nobody ever waited: the test shows nothing")
	}
}

func TestLockEndsWithItsContext(t *testing.T) {
	s := openStore(t)
	unlock, err := s.Lock(context.Background(), "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := s.Lock(ctx, "x", nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("waiting for a held lock ends with %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
}

func TestSweepTakesTheDeadAndLeavesTheLiving(t *testing.T) {
	ctx := context.Background()
	s := openStore(t)
	dead := filepath.Join(s.Dir(), "tmp", "DEADDEADDEAD")
	if err := os.MkdirAll(filepath.Join(dead, "upper", "x"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dead+".lock", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := store.Open(s.Dir(), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	alive, err := other.MakeTemp("n")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Sweep(ctx, removeAll); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
		t.Error("the dead workspace is still there")
	}
	if _, err := os.Stat(alive); err != nil {
		t.Errorf("the living workspace is gone: %v", err)
	}
	if err := other.Close(ctx, removeAll); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(filepath.Join(s.Dir(), "tmp")); len(left) > 0 {
		t.Errorf("tmp holds %v", left)
	}
}

func TestDamagedRecordIsNone(t *testing.T) {
	s := openStore(t)
	key := digest.FromString("k")
	type rec struct{ A, B string }
	want := rec{"1", "2"}
	if err := s.Put(kind, key, store.Refs{}, want); err != nil {
		t.Fatal(err)
	}
	var got rec
	if !s.Get(kind, key, &got) || got != want {
		t.Errorf("got %+v", got)
	}
	path, err := filepath.Glob(filepath.Join(s.Dir(), "cache", "tests", "*", "*.json"))
	if err != nil || len(path) != 1 {
		t.Fatal(path, err)
	}
	for _, damage := range []string{
		"", "{", "{\"A\":", "\x00\x00", `{"A":"1","B":"2"}`, `{"version":1,"kind":"tests/2","body":null}`,
		`{"version":1,"kind":"others/2","body":{"A":"1"}}`, `{"version":2,"kind":"tests/2","body":{"A":"1"}}`,
	} {
		if err := os.WriteFile(path[0], []byte(damage), 0o600); err != nil {
			t.Fatal(err)
		}
		if s.Get(kind, key, &got) {
			t.Errorf("a record that holds %q is taken for good", damage)
		}
	}
}

func TestFileDigestIsRememberedAndForgotten(t *testing.T) {
	ctx := context.Background()
	s := openStore(t)
	path := filepath.Join(t.TempDir(), "stage3.tar")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	time.Sleep(150 * time.Millisecond) // what has just been written is not remembered
	d, id, err := s.FileDigest(ctx, path)
	if err != nil || d != digest.FromString("one") {
		t.Fatal(d, err)
	}
	if r, ok := s.RememberedFile(id); !ok || r.Digest != d {
		t.Error("not remembered")
	}
	// Same size, and the time put back: the change time gives it away.
	fi, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(20 * time.Millisecond)
	if err := os.WriteFile(path, []byte("two"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, fi.ModTime(), fi.ModTime()); err != nil {
		t.Fatal(err)
	}
	if d, _, err = s.FileDigest(ctx, path); err != nil || d != digest.FromString("two") {
		t.Errorf("digest after a change: %s, %v", d, err)
	}
}

// A file that was changed within the tick of the clock in which its digest was taken looks as before: so the digest of a
// file that was changed just before is not remembered.
func TestDigestOfAFreshFile(t *testing.T) {
	s := openStore(t)
	path := filepath.Join(t.TempDir(), "f")
	for _, text := range []string{"one", "two", "six"} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		d, id, err := s.FileDigest(t.Context(), path)
		if err != nil || d != digest.FromString(text) {
			t.Errorf("%s: %s, %v", text, d, err)
		}
		if _, ok := s.RememberedFile(id); ok {
			t.Errorf("%s: it is remembered at once", text)
		}
	}
}
