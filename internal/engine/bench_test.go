package engine_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/internal/engine/sources"
	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/projects"
	"xtoo/qemu"
)

// A bench is a work directory, a store and fakes.
type bench struct {
	t      *testing.T
	work   string
	dir    string // of the store
	source *enginetest.Source
	runner *enginetest.Runner
	output *enginetest.Output
	o      engine.Options
	given  projects.Given

	mu     sync.Mutex
	events []engine.Event
}

func arch(t *testing.T, name string) qemu.Arch {
	t.Helper()
	a, err := qemu.Lookup(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// newBench writes the configurations, by the directories of their projects, and fills the sockets.
func newBench(t *testing.T, configs map[string]string) *bench {
	t.Helper()
	dir := t.TempDir()
	b := &bench{t: t, work: filepath.Join(dir, "work"), dir: filepath.Join(dir, "store")}
	for name, text := range configs {
		b.write(name+"/.xtoo-config.yaml", text)
	}
	b.reopen()
	return b
}

// reopen makes everything anew but the store's files, as another process has it.
func (b *bench) reopen() {
	b.t.Helper()
	s, err := store.Open(b.dir, store.OpenOptions{})
	if err != nil {
		b.t.Fatal(err)
	}
	b.source = &enginetest.Source{Store: s, Arch: arch(b.t, "x86-64bit")}
	b.runner = &enginetest.Runner{Store: s}
	b.output = &enginetest.Output{}
	b.o = engine.Options{
		Store: s, Runner: b.runner, Outputs: []engine.Output{b.output}, Events: b.event, Compression: layers.None, Jobs: 4,
		Sources: map[projects.BaseKind]engine.Source{projects.BaseStage3: b.source, projects.BaseScratch: sources.Scratch{}},
	}
}

func (b *bench) write(name, text string) {
	b.t.Helper()
	path := filepath.Join(b.work, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		b.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		b.t.Fatal(err)
	}
}

func (b *bench) event(e engine.Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.events = append(b.events, e)
}

// happened lists the events of a kind since the last call, as "tag:node state" or what they say.
func (b *bench) happened(kind engine.EventKind) []string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var out []string
	for _, e := range b.events {
		if e.Kind == kind {
			out = append(out, strings.Join(strings.Fields(projects.Label(e.Project, e.Platform)+":"+e.Node+" "+e.State+" "+e.Why+" "+e.Text), " "))
		}
	}
	b.events = nil
	return out
}

func (b *bench) plan(set ...string) *projects.Plan {
	b.t.Helper()
	return b.planFor(nil, set...)
}

func (b *bench) planFor(tags []string, set ...string) *projects.Plan {
	b.t.Helper()
	tree, err := projects.Load(projects.Source{Dir: b.work})
	if err != nil {
		b.t.Fatal(err)
	}
	selected, err := tree.Select(tags, b.work)
	if err != nil {
		b.t.Fatal(err)
	}
	var bases []*projects.Base
	for _, p := range selected {
		for _, r := range p.Root().Bases {
			if !slices.Contains(bases, r) {
				bases = append(bases, r)
			}
		}
	}
	given := b.given
	given.Set = set
	if given.Arch, err = engine.Arches(b.t.Context(), bases, b.o, true); err != nil {
		b.t.Fatal(err)
	}
	plan, err := tree.Resolve(selected, given)
	if err != nil {
		b.t.Fatal(err)
	}
	return plan
}

func (b *bench) build(set ...string) engine.Result {
	b.t.Helper()
	res, err := engine.Build(b.t.Context(), b.plan(set...), b.o)
	if err != nil {
		b.t.Fatal(err)
	}
	return res
}

// counts builds and says how many nodes were executed and cached.
func (b *bench) counts(executed, cached int, set ...string) engine.Result {
	b.t.Helper()
	res := b.build(set...)
	if res.Executed != executed || res.Cached != cached {
		b.t.Errorf("%d executed, %d cached; want %d and %d", res.Executed, res.Cached, executed, cached)
	}
	return res
}

// status says of each node "tag:node" what would be done, with the reason of a project under "tag".
func (b *bench) status(set ...string) map[string]string {
	b.t.Helper()
	all, err := engine.Status(b.t.Context(), b.plan(set...), b.o)
	if err != nil {
		b.t.Fatal(err)
	}
	out := map[string]string{}
	for _, p := range all {
		label := projects.Label(p.Project, p.Platform)
		out[label] = p.Why
		if p.Cached != (p.Why == "") {
			b.t.Errorf("%s: cached %v, why %q", label, p.Cached, p.Why)
		}
		for _, n := range p.Nodes {
			out[label+":"+n.Node] = n.Why
			if n.Cached != (n.Why == "") {
				b.t.Errorf("%s:%s: cached %v, why %q", label, n.Node, n.Cached, n.Why)
			}
		}
		for _, c := range p.Checks {
			out[label+"?"+c.Check] = c.Why
			if c.Cached != (c.Why == "") {
				b.t.Errorf("%s?%s: cached %v, why %q", label, c.Check, c.Cached, c.Why)
			}
		}
	}
	return out
}

// blob is the file of a blob.
func (b *bench) blob(d digest.Digest) string {
	return filepath.Join(b.o.Store.LayoutDir(), "blobs", "sha256", d.Encoded())
}

// files lists what is in the store.
func (b *bench) files() map[string]bool {
	b.t.Helper()
	out := map[string]bool{}
	err := filepath.WalkDir(b.dir, func(p string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			out[strings.TrimPrefix(p, b.dir+"/")] = true
		}
		if os.IsNotExist(err) {
			return nil
		}
		return err
	})
	if err != nil {
		b.t.Fatal(err)
	}
	return out
}

func TestFakesAreFillings(t *testing.T) {
	newStore := func(t *testing.T) *store.Store {
		s, err := store.Open(filepath.Join(t.TempDir(), "s"), store.OpenOptions{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(context.Background(), (&enginetest.Runner{}).Remove); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	t.Run("source", func(t *testing.T) {
		enginetest.TestSource(t, func(t *testing.T) enginetest.SourceCase {
			s := newStore(t)
			return enginetest.SourceCase{
				Store: s, Source: &enginetest.Source{Store: s, Arch: arch(t, "x86-64bit")}, Base: &projects.Base{Text: "x", Project: &projects.Project{}},
			}
		})
	})
	t.Run("runner", func(t *testing.T) {
		enginetest.TestRunner(t, func(t *testing.T) enginetest.RunnerCase {
			s := newStore(t)
			r := engine.Reading{Compression: layers.None, Jobs: 1}
			l, err := enginetest.PutLayer(t.Context(), s, map[string]string{"etc/x": "x"}, r, time.Unix(0, 0))
			if err != nil {
				t.Fatal(err)
			}
			return enginetest.RunnerCase{
				Runner: &enginetest.Runner{Store: s}, Store: s, Arch: arch(t, "x86-64bit"), Layers: []engine.Link{{DiffID: l.DiffID, Dir: l.DiffID}},
			}
		})
	})
	t.Run("output", func(t *testing.T) {
		enginetest.TestOutput(t, func(t *testing.T) enginetest.OutputCase {
			return enginetest.OutputCase{Output: &enginetest.Output{}, Images: enginetest.Images(t, newStore(t), ""), Path: filepath.Join(t.TempDir(), "none")}
		})
	})
}
