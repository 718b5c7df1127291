package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestWriteForest: as many roots, projects and nodes as the row says, no two nodes of a chain alike.
func TestWriteForest(t *testing.T) {
	dir := t.TempDir()
	if err := writeForest(dir, "/stage3.tar.xz"); err != nil {
		t.Fatal(err)
	}
	var roots, projects, nodes int
	scripts := map[string]bool{}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		projects++
		roots += strings.Count(string(data), "stage3: ")
		for line := range strings.Lines(string(data)) {
			if _, script, ok := strings.Cut(line, "run: "); ok {
				nodes++
				scripts[script] = true
			}
		}
		return err
	})
	if err != nil || roots != 20 || projects != 200 || nodes != 1000 || len(scripts) != nodes {
		t.Errorf("%d roots, %d projects, %d nodes, %d scripts, %v", roots, projects, nodes, len(scripts), err)
	}
}

// TestFindPrograms: a program that is not there is told before anything is prepared for it.
func TestFindPrograms(t *testing.T) {
	b := &bench{options: options{xtoo: "/bin/sh", base: filepath.Join(t.TempDir(), "xtoo")}}
	if err := b.findPrograms(); err == nil || !strings.Contains(err.Error(), b.base) {
		t.Errorf("the error does not name the program: %v", err)
	}
	b.base = ""
	if err := b.findPrograms(); err != nil || b.base != "" || b.lacksBase() != flagBase {
		t.Errorf("without the program before: %v, %q, %q", err, b.base, b.lacksBase())
	}
}
