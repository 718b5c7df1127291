package engine

import (
	"context"
	"errors"
	"slices"
	"sync"

	"xtoo/projects"
)

// A visitor is what is done on a walk through a plan.
type visitor struct {
	// base makes what a root starts from ready and returns its chain; nil where that is not known.
	base func(context.Context, *projects.PlannedProject, *baseState) (*chain, error)
	// node returns the chain after a node; nil where that is not known.
	node func(context.Context, *nodeState) (*chain, error)
	// check is called for each check of a project whose chain is finished, or not known.
	check func(context.Context, *nodeState) error
	// done gets the chain of a project with all its nodes; nil where that is not known.
	done func(context.Context, *projects.PlannedProject, *chain) error
}

// visit goes through all projects of the plan, independent ones side by side. A node that fails lets those that are worked
// on beside it finish, so that their work is kept, and keeps others from starting.
func (b *build) visit(ctx context.Context, v visitor) error {
	futures := make(map[*projects.PlannedProject]*future, len(b.plan.Projects))
	for _, p := range b.plan.Projects {
		futures[p] = &future{done: make(chan struct{})}
	}
	stop := &stopper{}
	var wg sync.WaitGroup
	for _, p := range b.plan.Projects {
		wg.Go(func() {
			f := futures[p]
			defer close(f.done)
			f.chain, f.err = b.visitProject(ctx, v, p, futures[p.Parent], stop)
			if f.err != nil {
				stop.stop()
			}
		})
	}
	wg.Wait()
	var all []error
	for _, p := range b.plan.Projects {
		if err := futures[p].err; err != nil && !errors.Is(err, errStopped) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

// visitProject visits one project. parent is the future of what it builds on, nil for roots.
func (b *build) visitProject(ctx context.Context, v visitor, p *projects.PlannedProject, parent *future, stop *stopper) (*chain, error) {
	var below *chain
	if parent == nil {
		st, err := b.baseState(ctx, p.Base)
		if err != nil {
			return nil, err
		}
		if below, err = v.base(ctx, p, st); err != nil {
			return nil, err
		}
	} else {
		select {
		case <-parent.done:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
		if parent.err != nil {
			return nil, errStopped // the parent's error is reported once, with the parent
		}
		below = parent.chain
	}
	c, err := b.project(ctx, p, below, func(st *nodeState) (*chain, error) {
		if err := errors.Join(ctx.Err(), stop.err()); err != nil {
			return nil, err
		}
		return v.node(ctx, st)
	})
	if err != nil {
		return nil, err
	}
	for _, check := range p.Checks {
		if err := errors.Join(ctx.Err(), stop.err()); err != nil {
			return nil, err
		}
		st, err := b.evaluateCheck(ctx, p, check, c)
		if err == nil {
			err = v.check(ctx, st)
		}
		if err != nil {
			return nil, err
		}
	}
	return c, v.done(ctx, p, c)
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
var errStopped = errors.New("another node or check failed")

// hasScripts says whether something is executed in the tree of projects on this base: a node, or a check.
func (b *build) hasScripts(base *projects.Base) bool {
	return slices.ContainsFunc(b.plan.Projects, func(p *projects.PlannedProject) bool {
		return len(p.Nodes)+len(p.Checks) > 0 && p.Base == base
	})
}
