package engine

import (
	"context"
	"errors"
	"sync"

	"github.com/opencontainers/go-digest"

	"xtoo/layers/store"
	"xtoo/projects"
)

// A Result is what a build made.
type Result struct {
	// Images has one entry for each project that was asked for, and for each of its platforms, in the order of the plan.
	Images []ImageResult `json:"images"`
	// Outputs that were written or found up to date.
	Outputs []OutputResult `json:"outputs,omitempty"`
	// Executed and Cached count the nodes of all projects that had to be looked at.
	Executed int `json:"executed"`
	Cached   int `json:"cached"`
	// Checked and ChecksCached count the checks.
	Checked      int `json:"checked,omitempty"`
	ChecksCached int `json:"checks_cached,omitempty"`
}

// An ImageResult is one image.
type ImageResult struct {
	Project  string        `json:"project"`
	Manifest digest.Digest `json:"manifest"`
	Config   digest.Digest `json:"config"`
	Layers   int           `json:"layers"`
	Platform string        `json:"platform"` // OCI's
	// Index that the tag stands for, where the project has several platforms; empty: the tag stands for the manifest.
	Index digest.Digest `json:"index,omitempty"`
}

// An OutputResult is a file or layout that was asked for.
type OutputResult struct {
	Project  string        `json:"project,omitempty"`
	Platform string        `json:"platform,omitempty"` // as in events
	Path     string        `json:"path"`
	Digest   digest.Digest `json:"digest,omitempty"`
	// State is "written" or "unchanged".
	State string `json:"state"`
}

// A build is one run of [Build], [Status] or [Arches].
type build struct {
	o     Options
	plan  *projects.Plan
	slots chan struct{}
	// looking: nothing is executed, and nothing written but what was learnt of a base.
	looking bool
	// oneByOne: the nodes of a project are asked for one by one, which tells which of their layers is gone.
	oneByOne bool

	mu     sync.Mutex
	result Result
	// differing are the nodes that gave two layers.
	differing []differing

	secret      sync.Once
	secretBytes []byte
	secretErr   error

	blobs sync.Map // that the store has, by digest

	ids func() int64 // that scripts have here

	inexact sync.Map // why layers may not be what root would make, as far as it was said

	writing    sync.Once
	writingErr error
}

func newBuild(plan *projects.Plan, o Options, looking bool) *build {
	b := &build{o: o.withDefaults(), plan: plan, looking: looking}
	b.slots = make(chan struct{}, b.o.Jobs)
	b.ids = sync.OnceValue(func() int64 { return b.o.Runner.IDs() })
	return b
}

// Build makes the images of a plan, and then the outputs: all of them, or after an error none. What was executed before an
// error stays in the cache. When ctx ends, everything that runs is ended first. A [*DifferError], which only [Options.Twice] brings, is the one
// error after which all is there.
func Build(ctx context.Context, plan *projects.Plan, o Options) (Result, error) {
	b := newBuild(plan, o, false)
	err := b.using(ctx, b.run)
	if err == nil {
		err = ctx.Err()
	}
	return b.result, errors.Join(err, b.differ())
}

// using works with the store, after it has removed what dead builds left, and cleans up behind it.
func (b *build) using(ctx context.Context, work func(context.Context) error) error {
	release, err := b.o.Store.Use(ctx)
	if err != nil {
		return err
	}
	defer release()
	err = b.o.Store.Sweep(ctx, b.o.Runner.Remove)
	if err != nil && ctx.Err() == nil {
		b.warn(err.Error()) // it is in nobody's way
	}
	if err = ctx.Err(); err == nil {
		err = work(ctx)
	}
	return errors.Join(err, b.o.Store.Close(ctx, b.o.Runner.Remove))
}

func (b *build) run(ctx context.Context) error {
	for _, o := range b.o.Outputs {
		if err := o.Check(b.asked()); err != nil {
			return err
		}
	}
	err := b.make(ctx)
	if errors.Is(err, store.ErrNoLayer) {
		b.oneByOne, b.result = true, Result{}
		err = b.make(ctx)
	}
	return err
}

// make makes the images and then the outputs.
func (b *build) make(ctx context.Context) error {
	images, err := b.walk(ctx)
	if err != nil {
		return err
	}
	return b.emit(ctx, images)
}

// beginWriting is called before something is executed or read.
func (b *build) beginWriting() error {
	b.writing.Do(func() { b.writingErr = b.o.Store.Settle() })
	return b.writingErr
}

// asked are the projects that were asked for.
func (b *build) asked() []*projects.PlannedProject {
	var out []*projects.PlannedProject
	for _, p := range b.plan.Projects {
		if p.Selected {
			out = append(out, p)
		}
	}
	return out
}

// slot waits for one of the Jobs places to execute in.
func (b *build) slot(ctx context.Context) (release func(), err error) {
	select {
	case b.slots <- struct{}{}:
		return func() { <-b.slots }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// waiting returns what tells the user that another build does what this one needs: what says where.
func (b *build) waiting(what Event) func() {
	what.Kind = EventWaiting
	return func() { b.o.Events(what) }
}

func (b *build) warn(text string) { b.o.Events(Event{Kind: EventWarning, Text: text}) }

func (b *build) count(executed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if executed {
		b.result.Executed++
	} else {
		b.result.Cached++
	}
}
