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

// adopt makes a layer directory with a file in it, under the map "ids", and returns what holds it.
func adopt(t *testing.T, s *store.Store, d digest.Digest) string {
	t.Helper()
	holder := newHolder(t, s)
	if err := s.Dirs("ids").Adopt(holder, store.LayerDir{Name: d, Layer: d}); err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(s.Dirs("ids").Path(d))
}

func newHolder(t *testing.T, s *store.Store) string {
	t.Helper()
	holder, err := s.MakeTemp("layer")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.MkdirAll(filepath.Join(store.DirIn(holder), "etc"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(store.DirIn(holder), "etc/f"), []byte("x"), 0o644); err != nil {
		t.Fatal(err)
	}
	return holder
}

func TestScratchHoldsLayersAndWork(t *testing.T) {
	ctx := context.Background()
	dir, scratch := filepath.Join(t.TempDir(), "store"), filepath.Join(t.TempDir(), "scratch")
	s, err := store.Open(dir, store.OpenOptions{Scratch: scratch})
	if err != nil {
		t.Fatal(err)
	}
	l := putLayer(t, s, someTar(t, 1000), layers.Gzip, 1)
	adopt(t, s, l.DiffID)
	dirs := s.Dirs("ids")
	if rel, err := filepath.Rel(scratch, dirs.Path(l.DiffID)); err != nil || !filepath.IsLocal(rel) || !dirs.Has(l.DiffID) {
		t.Errorf("the layer directory is %s", dirs.Path(l.DiffID))
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
	fresh, other, settled := digest.FromString("fresh"), digest.FromString("other"), digest.FromString("settled")
	adopt(t, s, fresh)
	otherMade := filepath.Join(adopt(t, s, other), "fresh")
	settledMade := filepath.Join(adopt(t, s, settled), "fresh")
	if err := os.WriteFile(otherMade, []byte(`{"boot":"another"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	hourAgo := time.Now().Add(-time.Hour)
	for _, p := range []string{otherMade, settledMade} {
		if err := os.Chtimes(p, hourAgo, hourAgo); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Settle(); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(settledMade); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an old directory of this boot is not settled: %v", err)
	}
	dirs := s.Dirs("ids")
	if !dirs.Has(fresh) || !dirs.Has(settled) || dirs.Has(other) {
		t.Errorf("trusted: fresh %v, settled %v, other %v", dirs.Has(fresh), dirs.Has(settled), dirs.Has(other))
	}
	list, err := dirs.List()
	if err != nil || len(list) != 3 {
		t.Errorf("listed: %v, %v", list, err)
	}
	for _, one := range list {
		if one.Trusted != (one.Name != other) {
			t.Errorf("listed: %+v", one)
		}
	}
	// One that is not trusted makes room.
	if adopt(t, s, other); !dirs.Has(other) {
		t.Error("a stale directory stands where another one was made")
	}
}

// A layer directory belongs to one map of ids.
func TestLayerDirsOfAnotherMap(t *testing.T) {
	s := openStore(t)
	d := digest.FromString("x")
	adopt(t, s, d)
	if other := s.Dirs("other ids"); other.Has(d) || other.Path(d) == s.Dirs("ids").Path(d) {
		t.Errorf("under another map it is %s", other.Path(d))
	}
	if err := s.Dirs("other ids").Adopt(newHolder(t, s), store.LayerDir{Name: d, Layer: d}); err != nil {
		t.Fatal(err)
	}
	if done := clean(t, s); done.Layers != 2 || len(done.Unknown) > 0 {
		t.Errorf("removed %+v", done)
	}
}

// What somebody did to a layer directory shows at its next use.
func TestSeal(t *testing.T) {
	s := openStore(t)
	d := digest.FromString("x")
	fs := func(name string) string { return filepath.Join(s.Dirs("ids").Path(d), name) }
	for what, do := range map[string]func() error{
		"chmod": func() error { return os.Chmod(fs("etc/f"), 0o600) },
		"chown": func() error { return os.Lchown(fs("etc/f"), os.Getuid(), os.Getgid()) }, // to whom it belongs already
		"times": func() error { return os.Chtimes(fs("etc"), time.Unix(1, 0), time.Unix(1, 0)) },
		"new":   func() error { return os.WriteFile(fs("new"), nil, 0o644) },
		"gone":  func() error { return os.Remove(fs("etc/f")) },
		"copied back": func() error {
			return errors.Join(os.Rename(fs("etc/f"), fs("g")), os.WriteFile(fs("etc/f"), []byte("x"), 0o644))
		},
		"without it": func() error { return os.RemoveAll(fs("")) }, // half removed, or half restored
		"made":       func() error { return os.Remove(filepath.Join(filepath.Dir(fs("")), "fresh")) },
	} {
		if adopt(t, s, d); !s.Dirs("ids").Has(d) {
			t.Fatal("a directory that nobody touched is not trusted")
		}
		time.Sleep(10 * time.Millisecond) // the kernel's clock for files has ticked
		if err := do(); err != nil {
			t.Fatal(err)
		}
		if s.Dirs("ids").Has(d) {
			t.Errorf("%s: it is still trusted", what)
		}
	}
}
