package engine

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/projects"
	"xtoo/projects/schema"
	"xtoo/qemu"
)

// A Result is what a build made.
type Result struct {
	// Images has one entry for each project that was asked for, and for each of its platforms, in the order of the plan.
	Images []ImageResult `json:"images"`
	// Outputs that were written or found up to date.
	Outputs []Output `json:"outputs,omitempty"`
	// Executed and Cached count the nodes of all projects that had to be looked at.
	Executed int `json:"executed"`
	Cached   int `json:"cached"`
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

// An Output is a file or layout that was asked for.
type Output struct {
	Project  string        `json:"project,omitempty"`
	Platform string        `json:"platform,omitempty"` // as in events
	Path     string        `json:"path"`
	Digest   digest.Digest `json:"digest,omitempty"`
	// State is "written" or "unchanged".
	State string `json:"state"`
}

// A build is one run of [Build].
type build struct {
	o     Options
	plan  *projects.Plan
	slots chan struct{}

	mu     sync.Mutex
	result Result

	emulating  sync.Mutex
	emulations map[qemu.Arch]emulationResult
}

// Build makes the images of a plan, and then the outputs: all of them, or after an error none. What was executed before an
// error stays in the cache. When ctx ends, everything that runs is ended first.
func Build(ctx context.Context, plan *projects.Plan, o Options) (Result, error) {
	b := &build{o: o.withDefaults(), plan: plan}
	b.slots = make(chan struct{}, b.o.Jobs)
	release, err := b.o.Store.Use(ctx)
	if err != nil {
		return Result{}, err
	}
	defer release()
	err = b.run(ctx)
	err = errors.Join(err, b.o.Store.Close(ctx, Remover(b.o.Host)))
	if err == nil {
		err = ctx.Err()
	}
	return b.result, err
}

func (b *build) run(ctx context.Context) error {
	if err := b.checkOutputs(); err != nil {
		return err
	}
	if err := b.o.Store.Sweep(ctx, Remover(b.o.Host)); err != nil {
		return err
	}
	if err := b.o.Store.Settle(); err != nil {
		return err
	}
	chains, err := b.chains(ctx)
	if err != nil {
		return err
	}
	return b.emit(ctx, chains)
}

// chains makes the chain of every project of the plan, independent ones side by side. A node that fails lets the nodes that run
// beside it finish, so that their work is kept, and keeps others from starting.
func (b *build) chains(ctx context.Context) (map[*projects.PlannedProject]*chain, error) {
	futures := map[*projects.PlannedProject]*future{}
	for _, p := range b.plan.Projects {
		futures[p] = &future{done: make(chan struct{})}
	}
	stop := &stopper{}
	var wg sync.WaitGroup
	for _, p := range b.plan.Projects {
		wg.Go(func() {
			f := futures[p]
			defer close(f.done)
			f.chain, f.err = b.project(ctx, stop, p, futures)
			if f.err != nil {
				stop.stop()
			}
		})
	}
	wg.Wait()
	chains := map[*projects.PlannedProject]*chain{}
	var all []error
	for _, p := range b.plan.Projects {
		f := futures[p]
		chains[p] = f.chain
		if f.err != nil && !errors.Is(f.err, errStopped) {
			all = append(all, f.err)
		}
	}
	return chains, errors.Join(all...)
}

// A future is a chain that is being made.
type future struct {
	done  chan struct{}
	chain *chain
	err   error
}

// A stopper tells goroutines not to start anything new.
type stopper struct {
	mu      sync.Mutex
	stopped bool
}

func (s *stopper) stop() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.stopped = true
}

func (s *stopper) err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return errStopped
	}
	return nil
}

// errStopped says that something else failed, which is what the user wants to hear about.
var errStopped = errors.New("another node failed")

// project makes the chain of one project.
func (b *build) project(ctx context.Context, stop *stopper, p *projects.PlannedProject, futures map[*projects.PlannedProject]*future) (*chain, error) {
	c, err := b.below(ctx, p, futures)
	if err != nil {
		return nil, err
	}
	for _, n := range p.Nodes {
		if err := errors.Join(ctx.Err(), stop.err()); err != nil {
			return nil, err
		}
		if c, err = b.node(ctx, p, n, c); err != nil {
			return nil, err
		}
	}
	return b.finish(p, c)
}

// below is the chain that a project's first node builds on.
func (b *build) below(ctx context.Context, p *projects.PlannedProject, futures map[*projects.PlannedProject]*future) (*chain, error) {
	if p.Parent == nil {
		return b.base(ctx, p.Base, b.hasNodes(p.Base))
	}
	f := futures[p.Parent]
	select {
	case <-f.done:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	if f.err != nil {
		return nil, errStopped // the parent's error is reported once, with the parent
	}
	return f.chain, nil
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

func (b *build) count(executed bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if executed {
		b.result.Executed++
	} else {
		b.result.Cached++
	}
}

// A ScriptError says that a node's script did not end well.
type ScriptError struct {
	Project  string
	Platform string // as in events
	Node     string
	Pos      schema.Position
	// What it did: "exited with code 3", "was killed by signal 9 (killed)".
	What string
	// Log is the file that holds everything it printed.
	Log     string
	Elapsed time.Duration
}

func (e *ScriptError) Error() string {
	return fmt.Sprintf("%s: node %s of project %s: its script %s", e.Pos, e.Node, projects.Label(e.Project, e.Platform), e.What)
}

// Hint says where to read on.
func (e *ScriptError) Hint() string { return "everything it printed is in " + e.Log }
