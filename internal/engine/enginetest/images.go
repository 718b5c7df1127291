package enginetest

import (
	"os"
	"path/filepath"
	"testing"

	"xtoo/internal/engine"
	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/projects"
)

// Images builds small images into a store, with fakes: of a project "top", built for two platforms, and of "top/below" on it.
// below is the configuration of the latter.
func Images(t *testing.T, s *store.Store, below string) []engine.Image {
	t.Helper()
	work := t.TempDir()
	for name, text := range map[string]string{
		"top": "stage3: [{file: a.tar, arch: x86-64bit}, {file: b.tar, arch: riscv-64bit}]\nscripts: [{name: x, run: echo x > /x}]\n", "top/below": below,
	} {
		path := filepath.Join(work, name, ".xtoo-config.yaml")
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	tree, err := projects.Load(projects.Source{Dir: work})
	if err != nil {
		t.Fatal(err)
	}
	selected, err := tree.Select(nil, work)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := tree.Resolve(selected, projects.Given{})
	if err != nil {
		t.Fatal(err)
	}
	out := &Output{}
	_, err = engine.Build(t.Context(), plan, engine.Options{
		Store: s, Runner: &Runner{Store: s}, Outputs: []engine.Output{out}, Compression: layers.Gzip, Jobs: 2,
		Sources: map[projects.BaseKind]engine.Source{projects.BaseStage3: &Source{Store: s}},
	})
	if err != nil {
		t.Fatal(err)
	}
	return out.Images
}
