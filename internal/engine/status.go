package engine

import (
	"context"
	"fmt"
	"strings"

	"github.com/opencontainers/go-digest"

	"xtoo/layers/store"
	"xtoo/projects"
)

// A ProjectStatus says what a build would do for a project.
type ProjectStatus struct {
	Project string `json:"project"`
	// Platform, as "arm-64bit/raspi4", where the tag has several.
	Platform string `json:"platform,omitempty"`
	Parent   string `json:"parent,omitempty"`
	// Base is what a root starts from.
	Base string `json:"base,omitempty"`
	// Cached: nothing of it would be executed or read.
	Cached bool         `json:"cached"`
	Why    string       `json:"why,omitempty"`
	Nodes  []NodeStatus `json:"nodes"`
}

// A NodeStatus says what a build would do for a node.
type NodeStatus struct {
	Node   string `json:"node"`
	Depth  int    `json:"-"`
	Cached bool   `json:"cached"`
	// Why it would be executed: "never built", "script changed", "parent changed", "value hostname changed".
	Why string `json:"why,omitempty"`
	// DiffID of the layer that the cache has.
	DiffID digest.Digest `json:"diff_id,omitempty"`
}

// The reasons that are not about an input of the node itself.
const (
	whyNever  = "never built"
	whyParent = "parent changed"
	whyGone   = "its layer is gone from the store"
	whyAsked  = "the cache is not to be used"
	whyBase   = "never read"
)

// Status says what [Build] would do with a plan. It executes nothing; a stage3 that it has not met before is hashed.
func Status(ctx context.Context, plan *projects.Plan, o Options) ([]ProjectStatus, error) {
	b := &build{o: o.withDefaults(), plan: plan}
	chains := map[*projects.PlannedProject]*chain{}
	var out []ProjectStatus
	for _, p := range plan.Projects {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		s, c, err := b.status(ctx, p, chains[p.Parent])
		if err != nil {
			return nil, err
		}
		chains[p] = c
		if p.Selected {
			out = append(out, s)
		}
	}
	return out, nil
}

// status follows a project's chain as far as the cache has it. The chain it returns is nil if that is not to its end.
func (b *build) status(ctx context.Context, p *projects.PlannedProject, below *chain) (ProjectStatus, *chain, error) {
	s := ProjectStatus{Project: p.Project.Tag, Platform: p.Platform(), Cached: true, Nodes: []NodeStatus{}}
	c := below
	if p.Parent != nil {
		s.Parent = p.Parent.Project.Tag
	} else {
		s.Base = p.Base.Text
		id, err := b.identifyBase(ctx, p.Base)
		if err != nil {
			return s, nil, err
		}
		var known bool
		c, known, err = b.lookupBase(p.Base, id)
		if err != nil {
			return s, nil, err
		}
		if !known {
			c, s.Why = nil, whyBase
		}
	}
	for _, n := range p.Nodes {
		ns := NodeStatus{Node: n.Path, Depth: strings.Count(n.Path, "/")}
		in, err := b.inputs(ctx, n)
		if err != nil {
			return s, nil, err
		}
		if c != nil && !b.o.NoCache {
			k := keysOf(c, in)
			if rec, ok := b.lookup(k); ok {
				ns.Cached, ns.DiffID = true, rec.DiffID
				c = c.after(k.key, n, rec)
			}
		}
		if !ns.Cached {
			ns.Why = b.why(n, c, in)
			c = nil
		}
		s.Nodes = append(s.Nodes, ns)
	}
	if c == nil {
		s.Cached = false
		if s.Why == "" {
			s.Why = firstWhy(s.Nodes)
		}
	}
	return s, c, nil
}

func firstWhy(nodes []NodeStatus) string {
	for _, n := range nodes {
		if !n.Cached {
			return fmt.Sprintf("node %s: %s", n.Node, n.Why)
		}
	}
	return whyParent
}

// why says why a node must be executed. c is the chain below it, nil if that is not known yet.
func (b *build) why(n *projects.Node, c *chain, in []Input) string {
	if b.o.NoCache {
		return whyAsked
	}
	var last lastRecord
	if !b.o.Store.Get(store.KindLast, b.lastKey(n), &last) {
		return whyNever
	}
	changed := changedInputs(last.Inputs, in)
	if c == nil || c.key != last.Below {
		changed = append(changed, whyParent)
	}
	if len(changed) == 0 {
		return whyGone
	}
	return strings.Join(changed, ", ")
}

// changedInputs names what is not as it was, as "script changed", "value hostname changed".
func changedInputs(old, now []Input) []string {
	before := map[string]digest.Digest{}
	for _, c := range old {
		before[c.Name] = c.Digest
	}
	var out []string
	for _, c := range now {
		was, ok := before[c.Name]
		delete(before, c.Name)
		switch {
		case !ok:
			out = append(out, c.Name+" added")
		case was != c.Digest:
			out = append(out, c.Name+" changed")
		}
	}
	for _, c := range old {
		if _, left := before[c.Name]; left {
			out = append(out, c.Name+" removed")
		}
	}
	return out
}

// lastKey names a node of a directory on an architecture, whatever it is made from.
func (b *build) lastKey(n *projects.Node) digest.Digest {
	return keyOf("last", n.Project.Project.Dir, n.Path, n.Project.Arch.String())
}

// A UsageError says that what was asked for does not fit together.
type UsageError struct{ Text, Todo string }

func (e *UsageError) Error() string { return e.Text }

// Hint says what to ask for instead.
func (e *UsageError) Hint() string { return e.Todo }
