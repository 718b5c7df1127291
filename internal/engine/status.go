package engine

import (
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"

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
	Cached bool          `json:"cached"`
	Why    string        `json:"why,omitempty"`
	Nodes  []NodeStatus  `json:"nodes"`
	Checks []CheckStatus `json:"checks,omitempty"`
}

// A CheckStatus says what a build would do for a check of an image.
type CheckStatus struct {
	Check string `json:"check"`
	// Cached: the image has passed it before.
	Cached bool `json:"cached"`
	// Why it would be executed, as for a node: "never checked", "image changed".
	Why string `json:"why,omitempty"`
}

// A NodeStatus says what a build would do for a node.
type NodeStatus struct {
	Node   string `json:"node"`
	Cached bool   `json:"cached"`
	// Why it would be executed: "never built", "script changed", "parent changed", "value hostname changed".
	Why string `json:"why,omitempty"`
	// DiffID of the layer that the cache has.
	DiffID digest.Digest `json:"diff_id,omitempty"`
}

// Status says what [Build] would do with a plan. It executes nothing, and writes nothing but the digest of a stage3 that
// it had to read for that; Events are told of it.
func Status(ctx context.Context, plan *projects.Plan, o Options) ([]ProjectStatus, error) {
	b := newBuild(plan, o, true)
	all := make(map[*projects.PlannedProject]*ProjectStatus, len(plan.Projects))
	for _, p := range plan.Projects {
		s := &ProjectStatus{Project: p.Project.Tag, Platform: p.Platform(), Nodes: []NodeStatus{}}
		if p.Parent != nil {
			s.Parent = p.Parent.Project.Tag
		} else {
			s.Base = p.Base.Text
		}
		all[p] = s
	}
	err := b.visit(ctx, visitor{
		base: func(_ context.Context, p *projects.PlannedProject, st *baseState) (*chain, error) {
			all[p].Why = st.why
			return st.chain, nil
		},
		node: func(_ context.Context, st *nodeState) (*chain, error) {
			ns := NodeStatus{Node: st.node.Path, Cached: st.cached, DiffID: st.record.DiffID}
			if !st.cached {
				ns.Why = b.why(st)
			}
			s := all[st.project]
			s.Nodes = append(s.Nodes, ns)
			return st.after()
		},
		check: func(_ context.Context, st *nodeState) error {
			cs := CheckStatus{Check: st.node.Path, Cached: st.cached}
			if !st.cached {
				cs.Why = b.why(st)
			}
			s := all[st.project]
			s.Checks = append(s.Checks, cs)
			return nil
		},
		done: func(_ context.Context, p *projects.PlannedProject, c *chain) error {
			s := all[p]
			s.Cached = c != nil && !slices.ContainsFunc(s.Checks, func(c CheckStatus) bool { return !c.Cached })
			if !s.Cached && s.Why == "" {
				s.Why = firstWhy(s, c != nil)
			}
			return nil
		},
	})
	if err != nil {
		return nil, err
	}
	var out []ProjectStatus
	for _, p := range b.asked() {
		out = append(out, *all[p])
	}
	return out, nil
}

// firstWhy says why something of a project would be executed. built: its nodes would not.
func firstWhy(s *ProjectStatus, built bool) string {
	for _, n := range s.Nodes {
		if !n.Cached {
			return fmt.Sprintf("node %s: %s", n.Node, n.Why)
		}
	}
	for _, c := range s.Checks {
		if built && !c.Cached {
			return fmt.Sprintf("check %s: %s", c.Check, c.Why)
		}
	}
	return whyParent
}
