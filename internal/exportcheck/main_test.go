package main

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestCheck looks at a small module: what is said is what nobody outside uses, and exceptions that are none.
func TestCheck(t *testing.T) {
	dir := t.TempDir()
	a, err := txtar.ParseFile("testdata/module.txtar")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range a.Files {
		name := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("GOFLAGS", "")
	got, err := check(t.Context(), dir, map[string]string{
		"example/room.Later": "why", "example/room.Called": "it is used", "example/room.Gone": "it is not there",
	})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"room/room.go:9: example/room.Alone is used by no other package",
		"room/room.go:12: example/room.OnlyTested is used by no other package",
		"room/room.go:19: example/room.Used.Idle is used by no other package",
		"room/room.go:25: example/room.Used.Quiet is used by no other package",
		"example/room.Called needs to be no exception any more: it is used, or gone",
		"example/room.Gone needs to be no exception any more: it is used, or gone",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %q\nwant %q", got, want)
	}
}
