package store_test

import (
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/testutil"
	"xtoo/layers"
	"xtoo/layers/store"
)

// TestGoldenLayer: the bytes of a layer's blob in each compression.
func TestGoldenLayer(t *testing.T) {
	s, err := store.Open(filepath.Join(t.TempDir(), "store"), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	stream := testutil.GoldenTar(t, true)
	blob := func(c layers.Compression) digest.Digest {
		w, err := s.NewLayer(t.Context(), c, 2)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Abort()
		if _, err := w.Write(stream); err != nil {
			t.Fatal(err)
		}
		l, err := w.Commit()
		if err != nil {
			t.Fatal(err)
		}
		return l.Blobs[c].Digest
	}
	testutil.Golden(t, "layer-gzip", blob(layers.Gzip))
	testutil.Golden(t, "layer-zstd", blob(layers.Zstd))
	testutil.Golden(t, "layer-none", blob(layers.None))
}
