package engine

import (
	"slices"

	"xtoo/projects"
)

// selected are the projects that were asked for.
func (b *build) selected() []*projects.PlannedProject {
	var out []*projects.PlannedProject
	for _, p := range b.plan.Projects {
		if p.Selected {
			out = append(out, p)
		}
	}
	return out
}

// byProject puts together what is planned for one project: one for each platform that is built.
func (b *build) byProject() [][]*projects.PlannedProject {
	var out [][]*projects.PlannedProject
	for _, p := range b.plan.Projects { // one after the other there
		if n := len(out); n > 0 && out[n-1][0].Project == p.Project {
			out[n-1] = append(out[n-1], p)
			continue
		}
		out = append(out, []*projects.PlannedProject{p})
	}
	return out
}

// hasNodes says whether a node is executed in the tree of projects on this base.
func (b *build) hasNodes(base *projects.Base) bool {
	return slices.ContainsFunc(b.plan.Projects, func(p *projects.PlannedProject) bool {
		return len(p.Nodes) > 0 && p.Base == base
	})
}
