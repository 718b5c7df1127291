package engine

import (
	"context"
	"fmt"

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
	Cached bool         `json:"cached"`
	Why    string       `json:"why,omitempty"`
	Nodes  []NodeStatus `json:"nodes"`
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
		done: func(_ context.Context, p *projects.PlannedProject, c *chain) error {
			s := all[p]
			s.Cached = c != nil
			if !s.Cached && s.Why == "" {
				s.Why = firstWhy(s.Nodes)
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

func firstWhy(nodes []NodeStatus) string {
	for _, n := range nodes {
		if !n.Cached {
			return fmt.Sprintf("node %s: %s", n.Node, n.Why)
		}
	}
	return whyParent
}
