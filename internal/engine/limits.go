package engine

import (
	"fmt"

	"xtoo/projects"
)

// maxLayersElsewhere is how many layers docker and podman take (their storage drivers for overlayfs stack no more).
const maxLayersElsewhere = 127

// warnLayers says before anything is executed on a base which images may get more layers than can be used. A node that
// changes nothing makes none, so that it is no error.
func (b *build) warnLayers(base *projects.Base, c *chain) {
	below := len(c.links())
	for _, p := range b.plan.Projects {
		if p.Base != base || !p.Selected {
			continue
		}
		nodes, spared := 0, 1 // the last node is not executed on its own layer
		if len(p.Checks) > 0 {
			spared = 0
		}
		for q := p; q != nil; q = q.Parent {
			nodes += len(q.Nodes)
		}
		all := fmt.Sprintf("%s: image %s may get %d layers, %d of its base and one of each of %d nodes", p.Project.Pos, p.Label(), below+nodes, below, nodes)
		most := b.o.Runner.MaxLayers()
		switch {
		case nodes > 0 && most > 0 && below+nodes-spared > most:
			b.warn(fmt.Sprintf("%s: a node or check can be executed on %d at most, so that the last ones will fail unless others change nothing: put scripts together", all, most))
		case below+nodes > maxLayersElsewhere:
			b.warn(fmt.Sprintf("%s: docker and podman take %d at most", all, maxLayersElsewhere))
		}
	}
}
