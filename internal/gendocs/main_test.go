package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/projects"
)

// TestUpToDate: what is committed is what the source makes.
func TestUpToDate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "docs")
	if err := run(dir); err != nil {
		t.Fatal(err)
	}
	var made []byte
	for _, name := range []string{"steps.md", "configuration.md"} {
		var err error
		if made, err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		committed, err := os.ReadFile(filepath.Join("../../docs", name))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(made, committed) {
			t.Errorf("docs/%s is not what the source makes: go run ./internal/gendocs -o docs", name)
		}
	}
	for _, k := range projects.Keys() {
		if !strings.Contains(string(made), "**`"+k.Path+"`**") || !strings.Contains(string(made), k.Doc) {
			t.Errorf("%s is not in the reference", k.Path)
		}
	}
}
