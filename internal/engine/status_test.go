package engine_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/engine"
	"xtoo/layers"
	"xtoo/projects"
)

func TestStatusSaysWhatABuildDoes(t *testing.T) {
	b := newBench(t, threeProjects)
	want := map[string]string{
		"top": "never read", "top:base": "never built", "top:base/one": "never built",
		"top/host": "node greet: never built", "top/host:greet": "never built",
		"top/host/web": "node nothing: never built", "top/host/web:nothing": "never built",
	}
	if got := b.status(); !reflect.DeepEqual(got, want) {
		t.Errorf("nothing is built: %q", got)
	}
	if left := b.files(); len(left) > 0 {
		t.Errorf("status writes %v", left)
	}
	b.counts(4, 0)
	cached := map[string]string{"top": "", "top:base": "", "top:base/one": "", "top/host": "", "top/host:greet": "", "top/host/web": "", "top/host/web:nothing": ""}
	before := b.files()
	if got := b.status(); !reflect.DeepEqual(got, cached) {
		t.Errorf("all is built: %q", got)
	}

	got := b.status("greeting=hello")
	if got["top:base"] != "" || got["top/host:greet"] != "value greeting changed" || got["top/host"] != "node greet: value greeting changed" ||
		!strings.Contains(got["top/host/web:nothing"], "parent changed") {
		t.Errorf("with another value: %q", got)
	}
	b.write("top/host/.xtoo-config.yaml", `scripts: [{name: greet, run: "env XTOO_GREETING\necho x > /greeted", env: {A: b}, network: none, values: []}]`)
	if got := b.status()["top/host:greet"]; got != "env A added, network changed, value greeting removed" {
		t.Errorf("with other inputs: %q", got)
	}
	if after := b.files(); !reflect.DeepEqual(after, before) {
		t.Errorf("status leaves other files: %v, before %v", after, before)
	}
	b.o.NoCache = true
	if got := b.status()["top/host:greet"]; got != "the cache is not to be used" {
		t.Errorf("without the cache: %q", got)
	}
}

// A power cut can lose the record of a layer, or leave it empty, while what speaks of the layer is there.
func TestLostRecordsOfLayers(t *testing.T) {
	b := newBench(t, threeProjects)
	b.counts(4, 0)
	links := b.output.Images[1].Links
	record := filepath.Join(b.dir, "cache/layers/3", links[len(links)-1].DiffID.Encoded()+".json")
	for name, lose := range map[string]func() error{
		"gone":  func() error { return os.Remove(record) },
		"empty": func() error { return os.Truncate(record, 0) },
	} {
		if err := lose(); err != nil {
			t.Fatal(err)
		}
		if got := b.status()["top/host:greet"]; got != "its layer is gone from the store" {
			t.Errorf("%s: %q", name, got)
		}
		b.counts(1, 3)
		b.counts(0, 4)
	}
	// One that is damaged is noticed when the layer is worked with.
	if err := os.WriteFile(record, []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.o.Compression = layers.Zstd
	b.counts(1, 3)
	b.counts(0, 4)
}

func TestStatusOfWhatIsGone(t *testing.T) {
	b := newBench(t, threeProjects)
	b.counts(4, 0)
	layer := engine.TagOf(b.output.Images[1]).Blobs[3] // behind the config
	if err := os.Remove(b.blob(layer.Digest)); err != nil {
		t.Fatal(err)
	}
	if got := b.status()["top/host:greet"]; got != "its layer is gone from the store" {
		t.Errorf("%q", got)
	}
	b.counts(1, 3)
	for name := range b.files() {
		if strings.HasPrefix(name, "cache/bases/") {
			if err := os.WriteFile(filepath.Join(b.dir, name), []byte("{"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := b.status(); got["top"] != "never read" || got["top:base"] != "parent changed" || got["top/host/web"] == "" {
		t.Errorf("%q", got)
	}
	b.counts(0, 4)
	if b.source.ReadBases != 2 {
		t.Errorf("the base was read %d times", b.source.ReadBases)
	}
}

// Secrets enter keys under the store's own key; who only looks makes none.
func TestSecrets(t *testing.T) {
	b := newBench(t, map[string]string{"top": stage3 + "values: {pw: {secret: true}}\nscripts: [{name: x, run: cat /run/xtoo/secrets/pw, values: [pw]}]\n"})
	if b.status("pw=hunter2"); len(b.files()) > 0 {
		t.Errorf("status writes %v", b.files())
	}
	b.counts(1, 0, "pw=hunter2")
	if got := b.happened(engine.EventOutput); len(got) != 1 || got[0] != "top:x (secret)" {
		t.Errorf("printed %q", got)
	}
	for name := range b.files() {
		data, err := os.ReadFile(filepath.Join(b.dir, name))
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(string(data), "hunter2") || strings.Contains(string(data), digest.FromString("hunter2").Encoded()) {
			t.Errorf("the secret stands in %s", name)
		}
	}
	b.counts(0, 1, "pw=hunter2")
	if got := b.status("pw=other")["top:x"]; got != "secret pw changed" {
		t.Errorf("%q", got)
	}
	b.counts(1, 0, "pw=other")
}

// What was hashed is what is executed: a declared file that changes while the node waits enters the key as it is then.
func TestDeclaredFiles(t *testing.T) {
	b := newBench(t, map[string]string{"top": stage3 + "scripts: [{name: x, run: \"cat /run/xtoo/files/f\\ncat /run/xtoo/files/d/g\", files: [f, d]}]\n"})
	b.write("top/f", "one\n")
	b.write("top/d/g", "two\n")
	b.counts(1, 0)
	if got := b.happened(engine.EventOutput); !slices.Equal(got, []string{"top:x one", "top:x two"}) {
		t.Errorf("printed %q", got)
	}
	job := b.runner.Jobs()[0]
	if data, err := os.ReadFile(b.o.Store.InputPath(job.Files[0].Digest)); err != nil || string(data) != "one\n" {
		t.Errorf("kept %q of %+v: %v", data, job.Files[0], err)
	}
	b.counts(0, 1)
	plan := b.plan()
	b.write("top/f", "three\n")
	if _, err := engine.Build(t.Context(), plan, b.o); err != nil {
		t.Fatal(err)
	}
	if got := b.happened(engine.EventOutput); !slices.Contains(got, "top:x three") {
		t.Errorf("printed %q", got)
	}
	if err := os.Remove(filepath.Join(b.work, "top/f")); err != nil {
		t.Fatal(err)
	}
	if _, err := engine.Build(t.Context(), plan, b.o); err == nil || !strings.Contains(err.Error(), "top/.xtoo-config.yaml:2") {
		t.Errorf("a file that is gone: %v", err)
	}
	if _, err := engine.Status(t.Context(), plan, b.o); err == nil {
		t.Error("a file that is gone is no error of status")
	}
}

func undeclared(t *testing.T, b *bench) []*projects.Base {
	t.Helper()
	tree, err := projects.Load(projects.Source{Dir: b.work})
	if err != nil {
		t.Fatal(err)
	}
	selected, err := tree.Select(nil, b.work)
	if err != nil {
		t.Fatal(err)
	}
	return selected[0].Bases
}

func TestArchesLookingAndBuilding(t *testing.T) {
	b := newBench(t, map[string]string{"top": "stage3: {file: stage3.tar}\nscripts: [{name: x, run: echo x > /x}]\n"})
	bases := undeclared(t, b)
	for range 2 {
		got, err := engine.Arches(t.Context(), bases, b.o, true)
		if err != nil || got[bases[0]].Name != "x86-64bit" {
			t.Fatalf("%v, %v", got, err)
		}
	}
	if b.source.Looked != 1 || b.source.ReadBases != 0 {
		t.Errorf("looked %d times, read %d times", b.source.Looked, b.source.ReadBases)
	}
	if got := b.happened(engine.EventImport); len(got) != 1 {
		t.Errorf("said to be read: %q", got)
	}
	for name := range b.files() {
		if strings.HasPrefix(name, "oci/") || strings.HasPrefix(name, "cache/bases") {
			t.Errorf("a look leaves %s", name)
		}
	}
	// What a look has found is good for a build as well, which reads the base when it comes to that.
	if _, err := engine.Arches(t.Context(), bases, b.o, false); err != nil || b.source.ReadBases != 0 {
		t.Errorf("read %d times, %v", b.source.ReadBases, err)
	}
	b.counts(1, 0)

	other := newBench(t, map[string]string{"top": "stage3: {file: stage3.tar}\n", "top/below": "scripts: [{name: x, run: echo x > /x}]\n"})
	bases = undeclared(t, other)
	if _, err := engine.Arches(t.Context(), bases, other.o, false); err != nil || other.source.ReadBases != 1 || other.source.Looked != 0 {
		t.Errorf("looked %d times, read %d times: %v", other.source.Looked, other.source.ReadBases, err)
	}
	other.counts(1, 0)
	if other.source.ReadBases != 1 {
		t.Error("the base was read twice")
	}
}

// A stage3 is large: what a build left that was killed while it read one goes before it is read again.
func TestArchesSweeps(t *testing.T) {
	b := newBench(t, map[string]string{"top": "stage3: {file: stage3.tar}\n"})
	left := filepath.Join(b.dir, "tmp/ABCDEFGHIJKL")
	if err := os.MkdirAll(left, 0o700); err != nil {
		t.Fatal(err)
	}
	b.source.Fails = func(*projects.Base) error {
		if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("what a dead build left: %v", err)
		}
		return nil
	}
	if _, err := engine.Arches(t.Context(), undeclared(t, b), b.o, false); err != nil || b.source.ReadBases != 1 {
		t.Errorf("read %d times, %v", b.source.ReadBases, err)
	}
}

func TestBasesThatFail(t *testing.T) {
	broken := errors.New("broken")
	b := newBench(t, map[string]string{"top": "stage3: {file: stage3.tar}\n"})
	bases := undeclared(t, b)
	b.source.Fails = func(*projects.Base) error { return broken }
	for _, looking := range []bool{true, false} {
		if _, err := engine.Arches(t.Context(), bases, b.o, looking); !errors.Is(err, broken) {
			t.Errorf("looking %v: %v", looking, err)
		}
	}
	b.write("top/.xtoo-config.yaml", stage3)
	if _, err := engine.Build(t.Context(), b.plan(), b.o); !errors.Is(err, broken) {
		t.Errorf("%v", err)
	}
	b.source.Fails = nil
	delete(b.o.Sources, projects.BaseStage3)
	if _, err := engine.Build(t.Context(), b.plan(), b.o); err == nil || !strings.Contains(err.Error(), "top/.xtoo-config.yaml:1") {
		t.Errorf("without a source: %v", err)
	}
	if _, err := engine.Status(t.Context(), b.plan(), b.o); err == nil {
		t.Error("status without a source")
	}
}
