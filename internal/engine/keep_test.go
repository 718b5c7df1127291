package engine_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/internal/engine"
	"xtoo/layers/store"
)

// clean removes what no image of the store refers to, and returns the warnings.
func (b *bench) clean() (done store.Cleaned, said []string, err error) {
	done, err = b.o.Store.Clean(b.t.Context(), func() (store.Keep, error) {
		return engine.Keep(b.t.Context(), b.o.Store, func(text string) { said = append(said, text) })
	}, b.runner.Remove)
	return done, said, err
}

func TestKeep(t *testing.T) {
	b := newBench(t, threeProjects)
	clean := func() store.Cleaned {
		t.Helper()
		done, said, err := b.clean()
		if err != nil || len(said) > 0 {
			t.Fatal(err, said)
		}
		return done
	}
	clean() // nothing was built yet
	b.counts(4, 0)
	if done := clean(); done.Blobs != 0 || done.Records != 0 || done.Logs != 0 || len(done.Unknown) > 0 {
		t.Errorf("what is in use is removed: %+v", done)
	}
	b.counts(0, 4)
	b.write("top/host/.xtoo-config.yaml", `scripts: [{name: greet, run: "echo y > /greeted"}]`)
	b.counts(2, 2)
	if done := clean(); done.Blobs == 0 || done.Records == 0 || done.Logs == 0 || len(done.Unknown) > 0 {
		t.Errorf("what is not in use stays: %+v", done)
	}
	b.counts(0, 4)
	if err := os.WriteFile(filepath.Join(b.dir, "oci/index.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Keep(t.Context(), b.o.Store, func(string) {}); err == nil {
		t.Error("a damaged index keeps nothing")
	}
	if _, err := engine.Build(t.Context(), b.plan(), b.o); err == nil {
		t.Error("a damaged index is written over")
	}
	if err := os.Remove(filepath.Join(b.dir, "oci/oci-layout")); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Keep(t.Context(), b.o.Store, func(string) {}); err == nil {
		t.Error("a layout with an index and without its other file keeps nothing")
	}
}

// The records of a node go with it, even where it made no layer that could.
func TestRecordsOfNodesThatAreGone(t *testing.T) {
	b := newBench(t, threeProjects)
	b.counts(4, 0)
	records := func() int {
		n := 0
		for name := range b.files() {
			for _, kind := range []string{"nodes", "last", "runs"} {
				if strings.HasPrefix(name, "cache/"+kind+"/") {
					n++
				}
			}
		}
		return n
	}
	if got := records(); got != 4+4+3 {
		t.Fatalf("%d records", got)
	}
	b.write("top/host/web/.xtoo-config.yaml", `scripts: [{name: another, run: "echo hello"}]`)
	b.counts(1, 3)
	if _, _, err := b.clean(); err != nil {
		t.Fatal(err)
	}
	if got := records(); got != 4+4+3 {
		t.Errorf("%d records of 4 nodes in 3 projects: %v", got, b.files())
	}
	b.counts(0, 4)
}

// unreadable makes a file one that nobody can read, whatever his rights.
func unreadable(t *testing.T, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Base(path), path); err != nil {
		t.Fatal(err)
	}
}

// One damaged image does not keep the others from being cleaned around; what cannot be read is not taken for damaged.
func TestDamagedImages(t *testing.T) {
	b := newBench(t, threeProjects)
	b.counts(4, 0)
	b.write("top/host/.xtoo-config.yaml", `scripts: [{name: greet, run: "echo y > /greeted"}]`)
	b.counts(2, 2)
	web := b.blob(b.output.Images[2].Manifest.Digest)
	before := b.files()
	unreadable(t, web)
	if done, _, err := b.clean(); err == nil || done.Blobs+done.Layers+done.Records > 0 {
		t.Errorf("a manifest that cannot be read: removed %+v, %v", done, err)
	}
	if err := os.Remove(web); err != nil {
		t.Fatal(err)
	}
	done, said, err := b.clean()
	if err != nil || done.Blobs == 0 || len(said) != 1 || !strings.Contains(said[0], "image top/host/web of the store is damaged") {
		t.Errorf("removed %+v, said %q, %v", done, said, err)
	}
	if after := b.files(); len(after) >= len(before) {
		t.Errorf("nothing is gone: %v", after)
	}
	if got := b.status(); got["top"] != "" || got["top/host"] != "" {
		t.Errorf("the other images: %q", got)
	}
	b.build()
	b.counts(0, 4)
}

// A record that cannot be read may be good: it stays, and the cleaning says so when it has done the rest.
func TestUnreadableRecord(t *testing.T) {
	b := newBench(t, threeProjects)
	b.counts(4, 0)
	record := onlyFile(t, b.dir, "cache/bases/*/*")[0]
	b.write("top/host/.xtoo-config.yaml", `scripts: [{name: greet, run: "echo y > /greeted"}]`)
	b.counts(2, 2)
	unreadable(t, record)
	done, _, err := b.clean()
	if err == nil || !strings.Contains(err.Error(), record) || done.Blobs == 0 {
		t.Errorf("removed %+v, %v", done, err)
	}
}
