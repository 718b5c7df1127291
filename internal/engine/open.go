package engine

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"xtoo/internal/nearest"
	"xtoo/layers/store"
	"xtoo/projects"
)

// A State is what a project's image is once its nodes, or some of them, are done.
type State struct {
	// Node is the path of the last node that belongs to it; empty: all of them do.
	Node string
	// NoBuild makes it an error where something would have to be executed or read first.
	NoBuild bool
}

// Open builds what the store lacks of a state of the one project, for one platform, that a plan was asked for. It calls use with how
// something is to be executed there: a job as that of a script of the project, of the state's node if it names one, without key,
// interpreter, script, files and secrets, whose changes are thrown away and which may take any time. While use is at work nobody
// cleans the store. No image is made, no check is executed, and no node that does not belong to the state. The error is that of use, or of the build.
func Open(ctx context.Context, plan *projects.Plan, at State, o Options, use func(context.Context, Job) error) error {
	b := newBuild(plan, o, at.NoBuild)
	p, err := b.theOne()
	if err != nil {
		return err
	}
	last, err := at.last(p)
	if err != nil {
		return err
	}
	as := p.Command
	if at.Node != "" {
		as = last
	}
	work := func(ctx context.Context) error {
		c, err := b.open(ctx, p, last, at.NoBuild)
		if err != nil {
			return err
		}
		j := b.jobOn(as, c)
		j.Discard, j.Limits.Timeout = true, 0
		return use(ctx, j)
	}
	return b.using(ctx, func(ctx context.Context) error {
		err := work(ctx)
		if errors.Is(err, store.ErrNoLayer) { // before anything was executed there
			b.oneByOne = true
			err = work(ctx)
		}
		return err
	})
}

// theOne is what was asked for.
func (b *build) theOne() (*projects.PlannedProject, error) {
	asked := b.asked()
	if len(asked) == 1 {
		return asked[0], nil
	}
	e := &severalError{}
	for _, p := range asked {
		e.labels = append(e.labels, p.Label())
		if p.Several && e.platform == "" {
			e.platform = p.Platform()
		}
	}
	return nil, e
}

// last is the last node that belongs to the state; nil: there is none.
func (at State) last(p *projects.PlannedProject) (*projects.Node, error) {
	if at.Node == "" {
		if len(p.Nodes) == 0 {
			return nil, nil
		}
		return p.Nodes[len(p.Nodes)-1], nil
	}
	var paths []string
	for _, n := range p.Nodes {
		if n.Path == at.Node {
			return n, nil
		}
		paths = append(paths, n.Path)
	}
	return nil, &noNodeError{project: p.Label(), node: at.Node, paths: paths}
}

// open returns the chain of a project after its last node that counts.
func (b *build) open(ctx context.Context, p *projects.PlannedProject, last *projects.Node, noBuild bool) (*chain, error) {
	var opened *chain
	over := false // the last node has been visited: what follows does not count
	err := b.visit(ctx, visitor{
		base: func(ctx context.Context, _ *projects.PlannedProject, st *baseState) (*chain, error) {
			if st.chain != nil {
				return st.chain, nil
			}
			if noBuild {
				return nil, &notBuiltError{what: st.base.Text, why: st.why}
			}
			err := b.read(ctx, st, true)
			return st.chain, err
		},
		node: func(ctx context.Context, st *nodeState) (*chain, error) {
			if over {
				return st.below, nil
			}
			if noBuild && !st.cached {
				return nil, &notBuiltError{what: st.what() + " of project " + st.project.Label(), why: b.why(st)}
			}
			over = st.node == last
			return b.buildNode(ctx, st)
		},
		check: func(context.Context, *nodeState) error { return nil },
		done: func(_ context.Context, of *projects.PlannedProject, c *chain) error {
			if of == p {
				opened = c
			}
			return nil
		},
	})
	return opened, err
}

// A severalError says that a plan is not for one image.
type severalError struct {
	labels   []string
	platform string // of one of them
}

func (e *severalError) Error() string {
	return "this is for one image, and there are several: " + strings.Join(e.labels, ", ")
}

// Hint says how one is chosen.
func (e *severalError) Hint() string {
	if e.platform == "" {
		return "name one project"
	}
	return "choose one with --platform " + e.platform
}

// A noNodeError says that a project has no such node.
type noNodeError struct {
	project, node string
	paths         []string
}

func (e *noNodeError) Error() string {
	return fmt.Sprintf("project %s has no node %q%s", e.project, e.node, nearest.DidYouMean(e.node, e.paths))
}

// Hint lists what there is.
func (e *noNodeError) Hint() string {
	if len(e.paths) == 0 {
		return "it has no nodes: leave out the @ and what follows it"
	}
	return "its nodes are, in the order in which they are executed, " + strings.Join(e.paths, ", ")
}

// A notBuiltError says that something would have to be built, which was not to be.
type notBuiltError struct{ what, why string }

func (e *notBuiltError) Error() string {
	return fmt.Sprintf("%s is not in the store: %s", e.what, e.why)
}

// Hint says how it gets there.
func (e *notBuiltError) Hint() string { return "leave out --no-build, or build it with xtoo build" }
