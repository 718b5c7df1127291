package store_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/layers"
	"xtoo/layers/store"
)

func TestCleanKeepsWhatIsNamedAndNothingElse(t *testing.T) {
	ctx := context.Background()
	s := openStore(t)
	kept := putLayer(t, s, someTar(t, 1000), layers.Gzip, 1)
	gone := putLayer(t, s, someTar(t, 2000), layers.Gzip, 1)
	for _, l := range []store.Layer{kept, gone} {
		adopt(t, s, l.DiffID)
		key := digest.FromString(l.DiffID.String())
		log, err := s.LogPath(key, "x/y")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(kind, key, store.Refs{Layers: []digest.Digest{l.DiffID}, Logs: []string{filepath.Base(log)}}, "x"); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(log, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Close(ctx, removeAll); err != nil {
		t.Fatal(err)
	}
	keep := func() (store.Keep, error) {
		return store.Keep{
			Blobs:  map[digest.Digest]bool{kept.Blobs[layers.Gzip].Digest: true},
			Layers: map[digest.Digest]bool{kept.DiffID: true},
		}, nil
	}
	done, err := s.Clean(ctx, keep, removeAll)
	if err != nil {
		t.Fatal(err)
	}
	if done.Blobs != 1 || done.Layers != 1 || done.Logs != 1 || done.Records != 2 {
		t.Errorf("removed %+v", done)
	}
	if _, ok := s.Layer(kept.DiffID); !ok || !s.Dirs("ids").Has(kept.DiffID) {
		t.Error("what was to be kept is gone")
	}
	if _, ok := s.Layer(gone.DiffID); ok || s.Dirs("ids").Has(gone.DiffID) {
		t.Error("what nothing names is still there")
	}
}

func TestCleanStaysAwayFromABuild(t *testing.T) {
	ctx := context.Background()
	s := openStore(t)
	release, err := s.Use(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.CleanAll(ctx, removeAll); err == nil || !strings.Contains(err.Error(), "a build or a cleaning") {
		t.Errorf("cleaning under a build gives %v", err)
	}
	release()
	if err := s.CleanAll(ctx, removeAll); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the store is still there: %v", err)
	}
}

// clean cleans a store of which some layers are kept.
func clean(t *testing.T, s *store.Store, keep ...digest.Digest) store.Cleaned {
	t.Helper()
	k := store.Keep{
		Blobs: map[digest.Digest]bool{}, Layers: map[digest.Digest]bool{}, Dirs: map[digest.Digest]bool{digest.FromString("a chain id"): true},
	}
	for _, d := range keep {
		k.Layers[d], k.Blobs[d] = true, true
	}
	done, err := s.Clean(t.Context(), func() (store.Keep, error) { return k, nil }, removeAll)
	if err != nil {
		t.Fatal(err)
	}
	return done
}

// What a record is, a cleaning does not know: it follows what the record refers to.
func TestCleanFollowsReferences(t *testing.T) {
	s := openStore(t)
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	id, err := store.IdentifyFile(file)
	if err != nil {
		t.Fatal(err)
	}
	other := id
	other.Size++
	kept, gone := digest.FromString("kept"), digest.FromString("gone")
	dir := digest.FromString("a chain id")
	names := func(what string) []string { return []string{store.RecordName(kind, digest.FromString(what))} }
	for name, c := range map[string]struct {
		refs  store.Refs
		stays bool
	}{
		"nothing":         {store.Refs{}, true},
		"kept":            {store.Refs{Layers: []digest.Digest{kept}, Blobs: []digest.Digest{kept}, Records: names("named")}, true},
		"layer":           {store.Refs{Layers: []digest.Digest{kept, gone}, Records: names("named by gone")}, false},
		"blob":            {store.Refs{Blobs: []digest.Digest{gone}}, false},
		"file":            {store.Refs{File: &id}, true},
		"another file":    {store.Refs{File: &other}, false},
		"boot":            {store.Refs{Boot: store.BootID()}, true},
		"another boot":    {store.Refs{Boot: "another"}, false},
		"named":           {store.Refs{Held: true, Records: names("named by held")}, true},
		"named by held":   {store.Refs{Held: true}, false},
		"named by gone":   {store.Refs{Held: true}, false},
		"named by nobody": {store.Refs{Held: true}, false},
	} {
		key := digest.FromString(name)
		if err := s.Put(kind, key, c.refs, "x"); err != nil {
			t.Fatal(err)
		}
		defer func() {
			if got := s.Get(kind, key, new(string)); got != c.stays {
				t.Errorf("%s: stays %v, want %v", name, got, c.stays)
			}
		}()
	}
	for _, d := range []digest.Digest{kept, gone, dir, digest.FromString("another")} {
		adopt(t, s, d)
	}
	if done := clean(t, s, kept); done.Layers != 2 || done.Records != 7 || len(done.Unknown) > 0 {
		t.Errorf("removed %+v", done)
	}
	if !s.Dirs("ids").Has(kept) || !s.Dirs("ids").Has(dir) {
		t.Error("a directory that is to be kept is gone")
	}
}

// What is found under a name that no store has is left alone, and said; what earlier programs left goes.
func TestCleanLeavesWhatItDoesNotKnow(t *testing.T) {
	s := openStore(t)
	if err := s.Put(kind, digest.FromString("x"), store.Refs{}, "x"); err != nil {
		t.Fatal(err)
	}
	hex := digest.FromString("x").Encoded()
	write := func(names ...string) {
		for _, name := range names {
			path := filepath.Join(s.Dir(), name)
			if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
				t.Fatal(err)
			}
			text := "x"
			if strings.HasPrefix(name, "cache/later") {
				text = `{"version":7,"kind":"later/1"}`
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	unknown := []string{
		"cache/Notes", "cache/later/1/" + hex + ".json", "cache/tests/2/notes.txt", "cache/tests/new", "inputs/x", "layers/x", "logs/mine.txt",
		"notes", "oci/blobs/sha256/x", "tmp/mine",
	}
	old := []string{"cache/nodes/1/" + hex + ".json", "cache/last/1/" + hex + ".json", "cache/tests/2/.1.part", "cache/tests/2/" + strings.Repeat("0", 64) + ".json"}
	own := []string{"cache/locks/" + strings.Repeat("a", 32), "inputs/" + hex, "layers/" + hex + "/boot"}
	write(unknown...)
	write(old...)
	hoursAgo := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(filepath.Join(s.Dir(), "cache/tests/2/.1.part"), hoursAgo, hoursAgo); err != nil {
		t.Fatal(err)
	}
	write(own...)
	if err := os.WriteFile(filepath.Join(s.Dir(), "cache/secret-key"), make([]byte, 32), 0o600); err != nil {
		t.Fatal(err)
	}
	done := clean(t, s)
	var said []string
	for _, path := range done.Unknown {
		said = append(said, strings.TrimPrefix(path, s.Dir()+"/"))
	}
	if !slices.Equal(said, unknown) {
		t.Errorf("said of %q\nwant %q", said, unknown)
	}
	for _, name := range unknown {
		if _, err := os.Stat(filepath.Join(s.Dir(), name)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, name := range append(old, own...) {
		if _, err := os.Stat(filepath.Join(s.Dir(), name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there: %v", name, err)
		}
	}
	if done.Records != 3 {
		t.Errorf("removed %+v", done)
	}
	if !s.Get(kind, digest.FromString("x"), new(string)) {
		t.Error("a record that refers to nothing is gone")
	}
}

// A record says what it is and what it refers to in the same way, whoever writes it.
func TestEnvelope(t *testing.T) {
	s := openStore(t)
	key := digest.FromString("k")
	if err := s.Put(kind, key, store.Refs{Layers: []digest.Digest{key}}, map[string]int{"a": 1}); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(s.Dir(), "cache/tests/2", key.Encoded()+".json"))
	if err != nil {
		t.Fatal(err)
	}
	want := `{"version":1,"kind":"tests/2","refs":{"layers":["` + key.String() + `"]},"body":{"a":1}}` + "\n"
	if string(data) != want || !json.Valid(data) {
		t.Errorf("%s\nwant %s", data, want)
	}
}
