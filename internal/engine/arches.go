package engine

import (
	"context"
	"errors"

	"xtoo/projects"
	"xtoo/qemu"
)

// Arches finds the architectures of the bases that do not declare one: a stage3 that was not read before is read for
// it, and is then in the store. Templates and scripts want to know them, so this comes before the plan.
func Arches(ctx context.Context, bases []*projects.Base, o Options) (map[*projects.Base]qemu.Arch, error) {
	b := &build{o: o.withDefaults(), plan: &projects.Plan{}}
	b.slots = make(chan struct{}, b.o.Jobs)
	release, err := b.o.Store.Use(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	arches := map[*projects.Base]qemu.Arch{}
	for _, r := range bases {
		if !r.Arch.IsZero() {
			continue
		}
		var c *chain
		if c, err = b.base(ctx, r, hasScripts(r.Project)); err != nil {
			break
		}
		arches[r] = c.arch
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
