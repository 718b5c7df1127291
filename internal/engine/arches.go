package engine

import (
	"context"
	"errors"

	"xtoo/projects"
	"xtoo/qemu"
)

// Arches finds the architectures of the roots that do not declare one, by tag, from what they start from: a stage3
// that was not read before is read for it, and is then in the store. Templates and scripts want to know them, so this
// comes before the plan.
func Arches(ctx context.Context, roots []*projects.Project, o Options) (map[string]qemu.Arch, error) {
	b := &build{o: o.withDefaults(), plan: &projects.Plan{}}
	b.slots = make(chan struct{}, b.o.Jobs)
	release, err := b.o.Store.Use(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	arches := map[string]qemu.Arch{}
	for _, r := range roots {
		if !r.Base.Arch.IsZero() {
			continue
		}
		var c *chain
		if c, err = b.base(ctx, r, hasScripts(r)); err != nil {
			break
		}
		arches[r.Tag] = c.arch
	}
	err = errors.Join(err, b.o.Store.Close(ctx, Remover(b.o.Host)))
	return arches, err
}

// hasScripts says whether a root or a project below it has nodes.
func hasScripts(p *projects.Project) bool {
	if len(p.Scripts) > 0 {
		return true
	}
	for _, c := range p.Children {
		if hasScripts(c) {
			return true
		}
	}
	return false
}
