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

// hasNodes says whether a node is executed in the tree of projects that begins with this root.
func (b *build) hasNodes(root *projects.PlannedProject) bool {
	return slices.ContainsFunc(b.plan.Projects, func(p *projects.PlannedProject) bool {
		return len(p.Nodes) > 0 && p.Project.Root() == root.Project
	})
}
