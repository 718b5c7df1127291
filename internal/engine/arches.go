package engine

import (
	"context"

	"xtoo/projects"
	"xtoo/qemu"
)

// Arches finds the architectures of the bases that do not declare one. Templates and scripts want to know them, so this
// comes before the plan. A base that was not read before is read: for a build, it is then in the store; who only looks
// keeps nothing but what was learnt of it.
func Arches(ctx context.Context, bases []*projects.Base, o Options, looking bool) (map[*projects.Base]qemu.Arch, error) {
	b := newBuild(&projects.Plan{}, o, looking)
	arches := map[*projects.Base]qemu.Arch{}
	find := func(ctx context.Context) error {
		for _, r := range bases {
			if !r.Arch.IsZero() {
				continue
			}
			st, err := b.baseState(ctx, r)
			if err == nil && st.arch.IsZero() {
				if looking {
					err = b.lookAt(ctx, st)
				} else {
					err = b.read(ctx, st, r.Project.Executes())
				}
			}
			if err != nil {
				return err
			}
			arches[r] = st.arch
		}
		return nil
	}
	if looking {
		return arches, find(ctx)
	}
	return arches, b.using(ctx, find)
}
