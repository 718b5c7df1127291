package engine_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/layers/store"
	"xtoo/projects"
)

// sides are two roots that have nothing to do with each other, and a project on each.
func sides() map[string]string {
	out := map[string]string{}
	for _, r := range []string{"a", "b"} {
		out[r] = "stage3: {file: " + r + ".tar, arch: x86-64bit}\nscripts: [{name: first, run: echo " + r + "1 > /1}, {name: second, run: echo " + r + "2 > /2}]\n"
		out[r+"/below"] = "scripts: [{name: third, run: echo " + r + "3 > /3}]\n"
	}
	return out
}

// nodeOf is the node of a job, as "tag:node".
func nodeOf(j engine.Job) string {
	var tag, node string
	for _, e := range j.Env {
		if v, ok := strings.CutPrefix(e, "XTOO_TAG="); ok {
			tag = v
		}
		if v, ok := strings.CutPrefix(e, "XTOO_NODE="); ok {
			node = v
		}
	}
	return tag + ":" + node
}

func TestANodeFails(t *testing.T) {
	b := newBench(t, sides())
	broken := errors.New("broken")
	second := make(chan struct{})
	b.runner.Before = func(ctx context.Context, j engine.Job) error {
		switch nodeOf(j) {
		case "a:first":
			<-second // so that the other root is at work when this one fails
			return broken
		case "b:first":
			close(second)
			time.Sleep(300 * time.Millisecond) // the engine says nothing at the moment when it notes a failure
		}
		return nil
	}
	_, err := engine.Build(t.Context(), b.plan(), b.o)
	if !errors.Is(err, broken) || strings.Contains(err.Error(), "another node failed") || !strings.Contains(err.Error(), "node first of project a") {
		t.Errorf("the build says %v", err)
	}
	// What ran beside it has ended, and nothing has begun.
	var ran []string
	for _, j := range b.runner.Jobs() {
		ran = append(ran, nodeOf(j))
	}
	slices.Sort(ran)
	if !slices.Equal(ran, []string{"a:first", "b:first"}) || b.output.Images != nil {
		t.Errorf("executed %q, written %v", ran, b.output.Images)
	}
	b.runner.Before = nil
	if got := b.status(); got["b:first"] != "" || got["a:first"] != "never built" || got["b:second"] != "never built" {
		t.Errorf("status %q", got)
	}
	b.counts(5, 1)
}

func TestAScriptFails(t *testing.T) {
	b := newBench(t, map[string]string{"top": stage3 + "scripts: [{name: x, run: \"echo said\\nexit 3\"}]\n"})
	res, err := engine.Build(t.Context(), b.plan(), b.o)
	var script *engine.ScriptError
	if !errors.As(err, &script) || !strings.Contains(err.Error(), "top/.xtoo-config.yaml:2:11: node x of project top: its script exited with code 3") ||
		!strings.HasPrefix(script.Hint(), "everything it printed is in "+b.dir) || res.Executed != 0 {
		t.Errorf("%+v, %v", res, err)
	}
	if got := onlyFile(t, b.dir, "logs/*"); len(got) != 1 {
		t.Errorf("logs %q", got)
	}
	b.o.Runner = signalled{b.runner}
	if _, err = engine.Build(t.Context(), b.plan(), b.o); err == nil || !strings.Contains(err.Error(), "was killed by signal 9 (killed)") {
		t.Errorf("%v", err)
	}
}

// signalled is a runner whose scripts are killed, and leave something out.
type signalled struct{ engine.Runner }

func (signalled) Run(context.Context, engine.Job, engine.Site) (engine.Outcome, error) {
	return engine.Outcome{Exit: 137, Signal: 9, Said: "killed", Skipped: []string{"/s: a socket"}}, nil
}

func TestNotReady(t *testing.T) {
	b := newBench(t, sides())
	b.runner.NotReady = errors.New("no emulator")
	if _, err := engine.Build(t.Context(), b.plan(), b.o); !errors.Is(err, b.runner.NotReady) {
		t.Errorf("%v", err)
	}
	// That is found before a base is read for its nodes.
	if b.source.ReadBases != 0 || len(b.runner.Jobs()) != 0 {
		t.Errorf("%d bases were read, jobs %v", b.source.ReadBases, b.runner.Jobs())
	}
	b.runner.NotReady = nil
	b.counts(6, 0)
	b.runner.NotReady = errors.New("no emulator")
	b.counts(0, 6)
	b.write("a/below/.xtoo-config.yaml", "scripts: [{name: third, run: echo other > /3}]\n")
	if _, err := engine.Build(t.Context(), b.plan(), b.o); !errors.Is(err, b.runner.NotReady) || !strings.Contains(err.Error(), "a/below") {
		t.Errorf("%v", err)
	}
}

func TestCancelled(t *testing.T) {
	b := newBench(t, sides())
	ctx, cancel := context.WithCancel(t.Context())
	b.runner.Before = func(ctx context.Context, j engine.Job) error {
		if nodeOf(j) == "a:second" {
			cancel()
			<-ctx.Done()
			return ctx.Err()
		}
		return nil
	}
	if _, err := engine.Build(ctx, b.plan(), b.o); !errors.Is(err, context.Canceled) {
		t.Errorf("a cancelled build says %v", err)
	}
	for name := range b.files() {
		if strings.HasPrefix(name, "tmp/") || strings.HasPrefix(name, "cache/locks/") {
			t.Errorf("it leaves %s", name)
		}
	}
	if _, err := engine.Build(ctx, b.plan(), b.o); !errors.Is(err, context.Canceled) {
		t.Errorf("a build that is cancelled before says %v", err)
	}
	b.runner.Before = nil
	b.build()
}

// Jobs bounds what is executed at a time.
func TestJobsAtATime(t *testing.T) {
	configs := map[string]string{}
	for i := range 6 {
		configs[fmt.Sprint("r", i)] = fmt.Sprintf("stage3: {file: %d.tar, arch: x86-64bit}\nscripts: [{name: x, run: echo %d > /x}]\n", i, i)
	}
	b := newBench(t, configs)
	b.o.Jobs = 2
	var now, most atomic.Int32
	pair := make(chan struct{}) // closed when two are at work
	b.runner.Before = func(ctx context.Context, _ engine.Job) error {
		n := now.Add(1)
		defer now.Add(-1)
		for {
			m := most.Load()
			if n <= m || most.CompareAndSwap(m, n) {
				break
			}
		}
		if n == 2 {
			select {
			case <-pair:
			default:
				close(pair)
			}
		}
		select {
		case <-pair:
		case <-time.After(30 * time.Second): // there is no second one
		}
		time.Sleep(5 * time.Millisecond) // a third one could come
		return ctx.Err()
	}
	b.counts(6, 0)
	if most.Load() != 2 {
		t.Errorf("%d at a time", most.Load())
	}
}

// Several builds at once on one store: each node is executed once, and who comes second waits and says so.
func TestBuildsAtOnce(t *testing.T) {
	b := newBench(t, sides())
	plan := b.plan()
	var wg sync.WaitGroup
	var executed, cached, read atomic.Int32
	results := make([]engine.Result, 4)
	for i := range results {
		s, err := store.Open(b.dir, store.OpenOptions{}) // each build has its own, and closes it
		if err != nil {
			t.Fatal(err)
		}
		o := b.o
		source := &enginetest.Source{Store: s}
		o.Store, o.Outputs, o.Sources = s, nil, map[projects.BaseKind]engine.Source{projects.BaseStage3: source}
		o.Runner = &enginetest.Runner{Store: s, Before: func(context.Context, engine.Job) error {
			time.Sleep(30 * time.Millisecond)
			return nil
		}}
		wg.Go(func() {
			res, err := engine.Build(t.Context(), plan, o)
			if err != nil {
				t.Error(err)
			}
			results[i] = res
			executed.Add(int32(res.Executed))
			cached.Add(int32(res.Cached))
			read.Add(int32(source.ReadBases))
		})
	}
	wg.Wait()
	if executed.Load() != 6 || cached.Load() != 18 || read.Load() != 2 {
		t.Errorf("%d executed, %d cached, %d bases read", executed.Load(), cached.Load(), read.Load())
	}
	for _, r := range results[1:] {
		if fmt.Sprint(r.Images) != fmt.Sprint(results[0].Images) {
			t.Errorf("the builds made %v and %v", results[0].Images, r.Images)
		}
	}
	if got := b.happened(engine.EventWaiting); len(got) == 0 {
		t.Error("nobody said that it waits: the test shows nothing")
	}
}

// A node that gives another layer each time is executed once; what stands on it is from that layer.
func TestAnotherLayerEachTime(t *testing.T) {
	b := newBench(t, sides())
	first := b.counts(6, 0)
	var n atomic.Int32
	b.o.Runner = drifting{b.runner, &n}
	b.o.NoCache = true
	second := b.counts(6, 0)
	b.o.NoCache = false
	third := b.counts(0, 6)
	if first.Images[0].Manifest == second.Images[0].Manifest {
		t.Error("the layers did not differ: the test shows nothing")
	}
	if fmt.Sprint(second.Images) != fmt.Sprint(third.Images) {
		t.Errorf("built %v, and then, from the cache, %v", second.Images, third.Images)
	}
}

// drifting is a runner that executes another script than it is told to.
type drifting struct {
	engine.Runner
	n *atomic.Int32
}

func (d drifting) Run(ctx context.Context, j engine.Job, at engine.Site) (engine.Outcome, error) {
	j.Epoch = j.Epoch.Add(-time.Duration(d.n.Add(1)) * time.Hour)
	return d.Runner.Run(ctx, j, at)
}

func TestSkippedIsSaid(t *testing.T) {
	b := newBench(t, map[string]string{"top": stage3 + "scripts: [{name: x, run: echo 1}]\n"})
	b.o.Runner = skipping{b.runner}
	b.counts(1, 0)
	if got := b.happened(engine.EventWarning); len(got) != 1 || !strings.Contains(got[0], "x: not in the layer: /s: a socket") {
		t.Errorf("warnings %q", got)
	}
}

type skipping struct{ engine.Runner }

func (skipping) Run(context.Context, engine.Job, engine.Site) (engine.Outcome, error) {
	return engine.Outcome{Skipped: []string{"/s: a socket"}}, nil
}
