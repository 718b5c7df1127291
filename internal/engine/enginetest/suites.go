package enginetest

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/engine"
	"xtoo/internal/testutil"
	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/projects"
)

// A SourceCase is a source with a base for it.
type SourceCase struct {
	Source engine.Source
	Base   *projects.Base
	Store  *store.Store // that it writes to, new
}

// TestSource is what every source does.
func TestSource(t *testing.T, newCase func(t *testing.T) SourceCase) {
	reading := engine.Reading{Compression: layers.None, Jobs: 1, Warn: func(string) {}}
	t.Run("identity", func(t *testing.T) {
		c := newCase(t)
		time.Sleep(150 * time.Millisecond) // what has just been written is not remembered
		first, err := c.Source.Identify(t.Context(), c.Base, nil)
		if err != nil {
			t.Fatal(err)
		}
		again, err := c.Source.Identify(t.Context(), c.Base, func() { t.Error("what was identified is read again") })
		if err != nil || again != first {
			t.Errorf("%s, and then %s: %v", first, again, err)
		}
	})
	t.Run("look", func(t *testing.T) {
		c := newCase(t)
		m, err := c.Source.Look(t.Context(), c.Base)
		if err != nil {
			t.Fatal(err)
		}
		if left := filesBelow(t, c.Store.Dir()); len(m.Layers) > 0 || len(left) > 0 {
			t.Errorf("a look gives %v and writes %q", m.Layers, left)
		}
		found, err := c.Source.Found(c.Base, m)
		if err != nil || found.Arch.IsZero() {
			t.Errorf("after a look it is for %v: %v", found.Arch, err)
		}
		read, err := c.Source.Read(t.Context(), c.Base, reading)
		if err != nil {
			t.Fatal(err)
		}
		if full, err := c.Source.Found(c.Base, read); err != nil || full.Arch != found.Arch || !full.Created.Equal(found.Created) {
			t.Errorf("a look finds %v of %v, reading %v of %v: %v", found.Arch, found.Created, full.Arch, full.Created, err)
		}
	})
	t.Run("read", func(t *testing.T) {
		c := newCase(t)
		m, err := c.Source.Read(t.Context(), c.Base, reading)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range m.Layers {
			readLayer(t, c.Store, l.DiffID)
		}
		found, err := c.Source.Found(c.Base, m)
		if err != nil || !reflect.DeepEqual(found.Layers, m.Layers) {
			t.Fatalf("layers %v of %v: %v", found.Layers, m.Layers, err)
		}
		// It is remembered as JSON.
		var back engine.Material
		viaJSON(t, m, &back)
		if again, err := c.Source.Found(c.Base, back); err != nil || asJSON(t, again) != asJSON(t, found) {
			t.Errorf("remembered, %+v is %+v: %v", found, again, err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		c := newCase(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		m, err := c.Source.Read(ctx, c.Base, reading)
		if err != nil && !errors.Is(err, context.Canceled) || err == nil && len(m.Layers) > 0 {
			t.Errorf("%v after cancellation: %v", m, err)
		}
	})
}

// An OutputCase is an output with what it shall write.
type OutputCase struct {
	Output engine.Output
	Images []engine.Image
	// Path is what it writes.
	Path string
}

// TestOutput is what every output does.
func TestOutput(t *testing.T, newCase func(t *testing.T) OutputCase) {
	asked := func(c OutputCase) []*projects.PlannedProject {
		var out []*projects.PlannedProject
		for _, img := range c.Images {
			out = append(out, img.Project)
		}
		return out
	}
	t.Run("written once", func(t *testing.T) {
		c := newCase(t)
		if err := c.Output.Check(asked(c)); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Lstat(c.Path); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("a check writes: %v", err)
		}
		var before map[string]time.Time
		for _, want := range []bool{true, false} {
			n := 0
			err := c.Output.Write(t.Context(), c.Images, func(w engine.Written) {
				if n++; w.Changed != want || w.Path == "" {
					t.Errorf("%+v, changed shall be %v", w, want)
				}
			})
			if err != nil || n == 0 {
				t.Fatalf("%d outputs: %v", n, err)
			}
			now := filesBelow(t, c.Path)
			if !want && !reflect.DeepEqual(now, before) {
				t.Errorf("what is up to date is written again: %v, %v", before, now)
			}
			before = now
		}
		if err := c.Output.Check(asked(c)); err != nil {
			t.Error(err)
		}
	})
	t.Run("cancelled", func(t *testing.T) {
		c := newCase(t)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := c.Output.Write(ctx, c.Images, func(engine.Written) {}); !errors.Is(err, context.Canceled) {
			t.Errorf("cancelled: %v", err)
		}
		if left := filesBelow(t, c.Path); len(left) > 0 {
			t.Errorf("a cancelled output leaves %v", left)
		}
	})
}

// filesBelow lists files and their times of change.
func filesBelow(t *testing.T, dir string) map[string]time.Time {
	t.Helper()
	out := map[string]time.Time{}
	err := filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.IsDir() {
			return err
		}
		fi, err := d.Info()
		if err == nil {
			out[p] = fi.ModTime()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// readLayer reads a layer to its end, where its digest is verified.
func readLayer(t *testing.T, s *store.Store, d digest.Digest) map[string]testutil.Member {
	t.Helper()
	r, err := s.OpenLayer(d)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]testutil.Member{}
	for _, m := range testutil.ReadTar(t, data) {
		out[strings.TrimSuffix(strings.TrimPrefix(m.Name, "./"), "/")] = m
	}
	return out
}

func asJSON(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func viaJSON(t *testing.T, v, to any) {
	t.Helper()
	if err := json.Unmarshal([]byte(asJSON(t, v)), to); err != nil {
		t.Fatal(err)
	}
}
