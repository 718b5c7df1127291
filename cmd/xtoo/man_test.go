package main

import (
	"bytes"
	"flag"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/spf13/cobra/doc"
)

// updateMan makes man/ again: go test ./cmd/xtoo -run ManPages -update-man
var updateMan = flag.Bool("update-man", false, "write the man pages into man/")

// TestManPages: man/ has what the commands say, and `xtoo man` writes it.
func TestManPages(t *testing.T) {
	want, got := t.TempDir(), t.TempDir()
	if *updateMan {
		want = "man"
		if err := os.RemoveAll(want); err != nil {
			t.Fatal(err)
		}
		if err := os.Mkdir(want, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	// The date of a page must not be the day it was generated on: pages are compared by their bytes.
	date := time.Date(2026, time.November, 1, 0, 0, 0, 0, time.UTC)
	header := &doc.GenManHeader{Section: "1", Source: "xtoo", Manual: "xtoo", Date: &date}
	root := newRootCommand(io.Discard, io.Discard)
	root.SetArgs([]string{"version"}) // what cobra adds to the commands it adds when it executes one
	if err := root.Execute(); err != nil {
		t.Fatal(err)
	}
	if err := doc.GenManTree(root, header, want); err != nil {
		t.Fatal(err)
	}
	if err := writeManPages(got); err != nil {
		t.Fatal(err)
	}
	if names(t, got) != names(t, want) {
		t.Errorf("the pages are\n%s\nand should be\n%s", names(t, got), names(t, want))
	}
	pages, err := os.ReadDir(want)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range pages {
		a, err := os.ReadFile(filepath.Join(want, p.Name()))
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(filepath.Join(got, p.Name()))
		if err != nil || !bytes.Equal(a, b) {
			t.Errorf("man/%s is not what its command says (%v): go test ./cmd/xtoo -run ManPages -update-man, and again without", p.Name(), err)
		}
	}
}

// names lists a directory.
func names(t *testing.T, dir string) string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var all []byte
	for _, e := range entries {
		all = append(append(all, e.Name()...), '\n')
	}
	return string(all)
}
