package store_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/testutil"
	"xtoo/layers"
	"xtoo/layers/store"
)

// In a directory that other machines work in, too, none of what they have there is touched.
func TestSharedDirectories(t *testing.T) {
	dir, scratch := t.TempDir(), t.TempDir()
	shared := func(string) bool { return true }
	for what, o := range map[string]store.OpenOptions{
		"store": {Shared: shared}, "scratch": {Shared: shared, Scratch: scratch},
	} {
		s, err := store.Open(dir, o)
		testutil.Must(t, err)
		at := dir
		if o.Scratch != "" {
			at = scratch
		}
		hex := digest.FromString("x").Encoded()
		others := []string{
			filepath.Join(at, "machines/another/tmp/AAAAAAAAAAAA/node-1"), filepath.Join(at, "machines/another/layers/000000000000", hex, "fs"),
		}
		for _, other := range others {
			testutil.Must(t, os.MkdirAll(other, 0o700))
		}
		l := putLayer(t, s, someTar(t, 1000), layers.Gzip, 1)
		holder := adopt(t, s, l.DiffID)
		if rel, err := filepath.Rel(filepath.Join(at, "machines"), holder); err != nil || !filepath.IsLocal(rel) {
			t.Errorf("%s: the directory of this machine is in %s", what, holder)
		}
		testutil.Must(t, s.Close(t.Context(), removeAll))
		testutil.Must(t, s.Sweep(t.Context(), removeAll))
		if done := clean(t, s); done.Layers != 1 || len(done.Unknown) > 0 {
			t.Errorf("%s: removed %+v", what, done)
		}
		testutil.Must(t, s.CleanAll(t.Context(), removeAll))
		for _, other := range others {
			if _, err := os.Stat(other); err != nil {
				t.Errorf("%s: %v", what, err)
			}
		}
		list, err := s.OtherMachines()
		if err != nil || len(list) != 1 || list[0] != filepath.Join(at, "machines/another") {
			t.Errorf("%s: others are %v, %v", what, list, err)
		}
		testutil.Must(t, os.RemoveAll(filepath.Join(at, "machines")))
		testutil.Must(t, s.CleanAll(t.Context(), removeAll))
		if _, err := os.Stat(at); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: %s is still there: %v", what, at, err)
		}
		testutil.Must(t, os.MkdirAll(dir, 0o700))
	}
}
