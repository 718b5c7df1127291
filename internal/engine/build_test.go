package engine_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
)

const stage3 = "stage3: {file: stage3.tar, arch: x86-64bit}\n"

// threeProjects: a root of two nodes, one below the other; a child; a grandchild that changes nothing.
var threeProjects = map[string]string{
	"top": stage3 + `
values: {greeting: hi}
scripts:
  - name: base
    run: cat /one
    values: []
    scripts: [{name: one, run: "echo 1 > /one", values: []}]
`,
	"top/host": `
scripts: [{name: greet, run: "env XTOO_GREETING\necho x > /greeted"}]
image: {env: {LANG: C}, cmd: [/bin/greet]}
`,
	"top/host/web": `scripts: [{name: nothing, run: "echo hello"}]`,
}

func TestBuildAndCache(t *testing.T) {
	b := newBench(t, threeProjects)
	first := b.counts(4, 0)
	if got, want := b.happened(engine.EventOutput), "top:base 1 top/host:greet hi top/host/web:nothing hello"; strings.Join(got, " ") != want {
		t.Errorf("printed %q", got)
	}
	if len(first.Images) != 3 || first.Images[0].Layers != 2 || first.Images[1].Layers != 3 || first.Images[2].Layers != 3 || first.Images[1].Platform != "linux/amd64" {
		t.Errorf("images %+v", first.Images)
	}
	if len(first.Outputs) != 1 || first.Outputs[0].State != "written" {
		t.Errorf("outputs %+v", first.Outputs)
	}
	jobs := b.runner.Jobs()
	if len(jobs) != 4 || len(jobs[1].Layers) != 2 || slices.Index(jobs[2].Env, "XTOO_GREETING=hi") < 0 || slices.Index(jobs[0].Env, "SOURCE_DATE_EPOCH=1655382896") < 0 {
		t.Errorf("jobs %+v", jobs)
	}
	before := b.files()
	b.reopen()
	again := b.counts(0, 4)
	if !reflect.DeepEqual(again.Images, first.Images) {
		t.Errorf("images %+v, and then %+v", first.Images, again.Images)
	}
	if after := b.files(); !reflect.DeepEqual(after, before) {
		t.Errorf("a build with nothing to do leaves other files: %v, before %v", after, before)
	}
	if b.source.ReadBases != 0 || len(b.runner.Jobs()) != 0 {
		t.Error("a build with nothing to do reads or executes")
	}
	// One node at a time.
	if err := os.Remove(onlyFile(t, b.dir, "cache/runs/3/*")[0]); err != nil {
		t.Fatal(err)
	}
	b.counts(0, 4)
	if got := b.happened(engine.EventNode); !slices.Contains(got, "top/host/web:nothing cached") {
		t.Errorf("nodes %q", got)
	}
}

func onlyFile(t *testing.T, dir, pattern string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil || len(found) == 0 {
		t.Fatalf("%s: %v, %v", pattern, found, err)
	}
	return found
}

// The same node below again with the same layer changes nothing above; with another layer it does.
func TestContentKeys(t *testing.T) {
	b := newBench(t, threeProjects)
	b.counts(4, 0)
	b.write("top/.xtoo-config.yaml", strings.ReplaceAll(threeProjects["top"], "echo 1 > /one", "# a comment\\necho 1 > /one"))
	b.counts(1, 3)
	b.counts(0, 4)
	b.write("top/.xtoo-config.yaml", strings.ReplaceAll(threeProjects["top"], "echo 1 > /one", "echo 2 > /one"))
	b.counts(4, 0)
	b.o.NoCache = true
	b.counts(4, 0)
}

// fickle is a runner on which one node does something else each time.
type fickle struct {
	engine.Runner
	store *store.Store
	node  string
	does  string
}

func (f *fickle) Run(ctx context.Context, j engine.Job, at engine.Site) (engine.Outcome, error) {
	if nodeOf(j) == f.node {
		var err error
		if j.Script.Digest, j.Script.Size, err = f.store.KeepInput(ctx, strings.NewReader(f.does)); err != nil {
			return engine.Outcome{}, err
		}
	}
	return f.Runner.Run(ctx, j, at)
}

// A node below that gives another layer when it is executed again: what was made on the old one is not good any more, though
// nothing that was declared has changed.
func TestOtherLayerBelow(t *testing.T) {
	b := newBench(t, map[string]string{
		"top":     stage3 + "scripts: [{name: one, run: date}]\n",
		"top/low": "scripts: [{name: two, run: echo 2 > /two}]\n",
	})
	f := &fickle{Runner: b.o.Runner, store: b.o.Store, node: "top:one", does: "echo 1 > /one"}
	b.o.Runner = f
	first := b.counts(2, 0)
	layer := engine.TagOf(b.output.Images[0]).Blobs[2] // behind config and base
	if err := os.Remove(b.blob(layer.Digest)); err != nil {
		t.Fatal(err)
	}
	f.does = "echo 2 > /one"
	other := b.counts(2, 0)
	if first.Images[0].Manifest == other.Images[0].Manifest {
		t.Error("the layer below is the same")
	}
	if got := b.happened(engine.EventStart); !slices.Contains(got, "top/low:two parent changed") {
		t.Errorf("started %q", got)
	}
	b.counts(0, 2)
}

func TestOptionsReachTheJob(t *testing.T) {
	b := newBench(t, threeProjects)
	epoch := time.Unix(1000000000, 999).UTC()
	b.o.Compression, b.o.Epoch = layers.Zstd, &epoch
	res := b.counts(4, 0)
	for _, j := range b.runner.Jobs() {
		if j.Compression != layers.Zstd || !j.Epoch.Equal(time.Unix(1000000000, 0)) || j.Jobs != 4 {
			t.Errorf("job %+v", j)
		}
	}
	// Another compression executes nothing.
	b.o.Compression = layers.Gzip
	other := b.counts(0, 4)
	if other.Images[0].Manifest == res.Images[0].Manifest || other.Images[0].Config != res.Images[0].Config {
		t.Errorf("with another compression %+v, before %+v", other.Images[0], res.Images[0])
	}
	back := b.counts(0, 4)
	if !reflect.DeepEqual(back.Images, other.Images) {
		t.Errorf("images differ")
	}
}

// A node without a network is another one than with it, and the same one whoever took the network away.
func TestOffline(t *testing.T) {
	b := newBench(t, threeProjects)
	b.given.Offline = true
	b.counts(4, 0)
	for _, j := range b.runner.Jobs() {
		if j.Network != projects.NetworkNone {
			t.Errorf("job %+v", j)
		}
	}
	b.given.Offline = false
	if got := b.status()["top:base/one"]; got != "network changed" {
		t.Errorf("with a network: %q", got)
	}
	b.counts(4, 0)
	b.given.Offline = true
	b.counts(0, 4)
	b.given.Offline = false
	b.counts(0, 4)
	b.write("top/.xtoo-config.yaml", threeProjects["top"]+"network: none\n")
	b.counts(0, 4)
}

// What a script gave with a range of ids is good for who has one; the other way round it is made anew.
func TestRecordsAndIDs(t *testing.T) {
	b := newBench(t, threeProjects)
	b.runner.HasIDs = 1
	b.counts(4, 0)
	b.counts(0, 4)
	b.runner.HasIDs = 65537
	if got := b.status()["top:base/one"]; got != "it was executed with fewer user and group ids than there are now" {
		t.Errorf("%q", got)
	}
	b.counts(4, 0)
	b.counts(0, 4)
	for _, ids := range []int64{1, 0} {
		b.runner.HasIDs = ids
		b.counts(0, 4)
	}
	b.o.NoCache = true
	b.counts(4, 0)
	b.o.NoCache, b.runner.HasIDs = false, 65537
	b.counts(4, 0)
}

// changing is a source whose base becomes another one while it is read.
type changing struct {
	engine.Source
	changed bool
}

func (c *changing) Identify(ctx context.Context, b *projects.Base, reading func()) (digest.Digest, error) {
	d, err := c.Source.Identify(ctx, b, reading)
	if c.changed {
		d = engine.Key("another", d.String())
	}
	return d, err
}

func (c *changing) Read(ctx context.Context, b *projects.Base, r engine.Reading) (engine.Material, error) {
	c.changed = true
	return c.Source.Read(ctx, b, r)
}

// What was read is what was identified, or nothing is remembered of it.
func TestBaseChangesMeanwhile(t *testing.T) {
	b := newBench(t, threeProjects)
	source := &changing{Source: b.source}
	b.o.Sources[projects.BaseStage3] = source
	if _, err := engine.Build(t.Context(), b.plan(), b.o); err == nil || !strings.Contains(err.Error(), "top/.xtoo-config.yaml:1") || !strings.Contains(err.Error(), "changed while it was read") {
		t.Errorf("%v", err)
	}
	source.changed = false
	if got := b.status()["top"]; got != "never read" {
		t.Errorf("it is remembered: %q", got)
	}
	source.changed = true
	b.counts(4, 0)
}

func TestWhatIsAskedForIsWritten(t *testing.T) {
	b := newBench(t, threeProjects)
	if _, err := engine.Build(t.Context(), b.planFor([]string{"top/host"}), b.o); err != nil {
		t.Fatal(err)
	}
	if len(b.output.Images) != 1 || b.output.Images[0].Project.Project.Tag != "top/host" {
		t.Errorf("written: %+v", b.output.Images)
	}
	// The project above has its tag in the store all the same.
	layout, err := oci.OpenLayout(b.o.Store.LayoutDir())
	if err != nil {
		t.Fatal(err)
	}
	refs, err := layout.Refs()
	if err != nil || len(refs) != 2 || refs[0].Name != "top" || refs[1].Name != "top/host" {
		t.Errorf("references %v, %v", refs, err)
	}
	if blobs, _, err := layout.Reach(t.Context(), refs[1].Descriptor); err != nil || len(blobs) != 5 {
		t.Errorf("it reaches %v, %v", blobs, err)
	}
}

func TestOutputsRefused(t *testing.T) {
	b := newBench(t, threeProjects)
	b.output.Refuse = errors.New("refused")
	if _, err := engine.Build(t.Context(), b.plan(), b.o); !errors.Is(err, b.output.Refuse) {
		t.Errorf("%v", err)
	}
	if len(b.runner.Jobs()) != 0 || b.source.ReadBases != 0 {
		t.Error("something was executed or read for an output that is refused")
	}
	b.output.Refuse, b.output.Fail = nil, errors.New("failed")
	second := &enginetest.Output{}
	b.o.Outputs = append(b.o.Outputs, second)
	if _, err := engine.Build(t.Context(), b.plan(), b.o); !errors.Is(err, b.output.Fail) {
		t.Errorf("%v", err)
	}
	if second.Images != nil {
		t.Error("what comes after a refused output was written")
	}
	b.output.Fail = nil
	b.counts(0, 4)
}

func TestPlatforms(t *testing.T) {
	b := newBench(t, map[string]string{
		"top":       "stage3: [{file: a.tar, arch: x86-64bit, subarch: generic_64-v3}, {file: b.tar, arch: riscv-64bit}]\nscripts: [{name: x, run: \"echo x > /x\\nenv XTOO_ARCH\"}]\n",
		"top/below": "image: {labels: {a: b}}\n",
	})
	res := b.counts(2, 0)
	if len(res.Images) != 4 || res.Images[0].Index == "" || res.Images[0].Index != res.Images[1].Index || res.Images[2].Index == res.Images[0].Index {
		t.Errorf("images %+v", res.Images)
	}
	if got := b.happened(engine.EventImage); len(got) != 6 || !slices.Contains(got, "top: index") || !strings.Contains(strings.Join(got, " "), "top/below[riscv-64bit/") {
		t.Errorf("%q", got)
	}
	ref := engine.TagOf(b.output.Images[:2]...)
	if ref.Name != "top" || ref.Descriptor.Digest != res.Images[0].Index || len(ref.Blobs) != 8 {
		t.Errorf("the tag stands for %+v", ref)
	}
	// The only image for amd64 is found by everybody.
	data, err := os.ReadFile(b.blob(ref.Descriptor.Digest))
	if err != nil || strings.Contains(string(data), "v3") || !strings.Contains(string(data), "riscv64") {
		t.Errorf("index %s: %v", data, err)
	}
	b.counts(0, 2)
}

func TestScratch(t *testing.T) {
	b := newBench(t, map[string]string{"top": "from: {image: scratch, arch: arm64}\n", "top/one": "scripts: [{name: x, run: \"echo x > /x\"}]\n"})
	res := b.counts(1, 0)
	if res.Images[0].Layers != 1 || res.Images[1].Layers != 1 || len(b.output.Images[0].Links) != 0 || len(b.output.Images[1].Links) != 1 {
		t.Errorf("%+v", res.Images)
	}
	if got := b.happened(engine.EventImport); len(got) > 0 {
		t.Errorf("reads %q", got)
	}
}
