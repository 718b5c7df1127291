package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/layers"
	"xtoo/layers/store"
)

func TestScratchHoldsLayersAndWork(t *testing.T) {
	ctx := context.Background()
	dir, scratch := filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "scratch")
	s, err := store.Open(dir, store.OpenOptions{Scratch: scratch})
	if err != nil {
		t.Fatal(err)
	}
	l := putLayer(t, s, someTar(t, 1000), layers.Gzip, 1)
	holder, err := s.MakeTemp("layer")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(store.DirIn(holder), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := s.AdoptLayerDir(holder, l.DiffID); err != nil {
		t.Fatal(err)
	}
	if rel, err := filepath.Rel(scratch, s.LayerDir(l.DiffID)); err != nil || !filepath.IsLocal(rel) || !s.HasLayerDir(l.DiffID) {
		t.Errorf("the layer directory is %s", s.LayerDir(l.DiffID))
	}
	if err := errors.Join(s.Close(ctx, removeAll), s.CleanAll(ctx, removeAll)); err != nil {
		t.Fatal(err)
	}
	for _, d := range []string{dir, scratch} {
		if _, err := os.Stat(d); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", d, err)
		}
	}
}

// TestLayerDirsOfAnotherBoot: what was not synced before the machine went down is not trusted; what was synced is.
func TestLayerDirsOfAnotherBoot(t *testing.T) {
	s := openStore(t)
	adopt := func(name string) (digest.Digest, string) {
		d := digest.FromString(name)
		holder, err := s.MakeTemp("layer")
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(store.DirIn(holder), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := s.AdoptLayerDir(holder, d); err != nil {
			t.Fatal(err)
		}
		return d, filepath.Join(filepath.Dir(s.LayerDir(d)), "boot")
	}
	fresh, _ := adopt("fresh")
	other, otherBoot := adopt("other")
	settled, settledBoot := adopt("settled")
	if err := os.WriteFile(otherBoot, []byte("another boot"), 0o600); err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	for _, p := range []string{otherBoot, settledBoot} {
		if err := os.Chtimes(p, hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(settledBoot); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an old directory of this boot is not settled: %v", err)
	}
	if !s.HasLayerDir(fresh) || !s.HasLayerDir(settled) || s.HasLayerDir(other) {
		t.Errorf("trusted: fresh %v, settled %v, other %v", s.HasLayerDir(fresh), s.HasLayerDir(settled), s.HasLayerDir(other))
	}
	if dir, ok := s.StaleLayerDir(other); !ok || dir != filepath.Dir(otherBoot) {
		t.Errorf("stale: %q, %v", dir, ok)
	}
	if _, ok := s.StaleLayerDir(fresh); ok {
		t.Error("a fresh directory is called stale")
	}
	// Half removed, or half restored: what is beside the directory says nothing of it.
	if err := os.Remove(s.LayerDir(fresh)); err != nil {
		t.Fatal(err)
	}
	if dir, ok := s.StaleLayerDir(fresh); !ok || s.HasLayerDir(fresh) {
		t.Errorf("without its directory: %q is stale: %v, there: %v", dir, ok, s.HasLayerDir(fresh))
	}
}
