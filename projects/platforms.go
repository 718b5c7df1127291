package projects

import (
	"fmt"
	"slices"
	"strings"

	"xtoo/projects/schema"
	"xtoo/qemu"
)

// Platforms returns the architectures that the roots declare, as "arm-64bit/raspi4", sorted.
func (t *Tree) Platforms() []string {
	all := map[string]bool{}
	for _, p := range t.projects {
		for _, b := range p.Bases {
			if !b.Arch.IsZero() {
				all[b.Arch.String()] = true
			}
		}
	}
	return sortedKeys(all)
}

// archOf is the architecture of a base: declared or found, else zero.
func (r *resolver) archOf(b *Base) qemu.Arch {
	if !b.Arch.IsZero() {
		return b.Arch
	}
	return r.given.Arch[b]
}

// choose picks what is to be built of what the roots of the selected projects start from: everything, or what
// [Given.Platforms] names.
func (r *resolver) choose(selected []*Project) map[*Base]bool {
	roots := map[*Project]bool{}
	for _, p := range selected {
		roots[p.Root()] = true
	}
	var bases []*Base
	for _, p := range r.tree.projects {
		if roots[p] {
			bases = append(bases, p.Bases...)
			samePlatforms(p.Bases, r.archOf, r.probs)
		}
	}
	chosen := map[*Base]bool{}
	if len(r.given.Platforms) == 0 {
		for _, b := range bases {
			chosen[b] = true
		}
		return chosen
	}
	for _, name := range r.given.Platforms {
		r.choosePlatform(name, bases, chosen)
	}
	if !r.given.Named || len(chosen) == 0 || r.unknown(bases) {
		return chosen
	}
	for _, p := range selected {
		if of := p.Root().Bases; !slices.ContainsFunc(of, func(b *Base) bool { return chosen[b] }) {
			r.probs.Add(schema.Problem{
				Msg:  fmt.Sprintf("--platform %s: project %q has no such platform", strings.Join(r.given.Platforms, ","), p.Tag),
				Hint: "it has " + r.list(of),
			})
		}
	}
	return chosen
}

// choosePlatform adds the bases that a name stands for.
func (r *resolver) choosePlatform(name string, bases []*Base, chosen map[*Base]bool) {
	pattern, err := qemu.ParsePattern(name)
	if err != nil {
		r.probs.Add(schema.Problem{Msg: fmt.Sprintf("--platform %q: %v", name, err), Err: err})
		return
	}
	found := false
	for _, b := range bases {
		if pattern.Match(r.archOf(b)) {
			chosen[b], found = true, true
		}
	}
	if found || r.unknown(bases) {
		return
	}
	what, has := "there is no such platform in the tree", "the tree has "
	if r.given.Named {
		what, has = "nothing of what is to be built has this platform", "it has "
	}
	r.probs.Add(schema.Problem{Msg: fmt.Sprintf("--platform %s: %s", name, what), Hint: has + r.list(bases)})
}

// unknown reports whether it is too early to say what is not there: the architecture of a base is still to be found.
func (r *resolver) unknown(bases []*Base) bool {
	return r.early && slices.ContainsFunc(bases, func(b *Base) bool { return r.archOf(b).IsZero() })
}

// list names the platforms of bases, each once.
func (r *resolver) list(bases []*Base) string {
	all := map[string]bool{}
	for _, b := range bases {
		all[r.archOf(b).String()] = true
	}
	return firstFew(sortedKeys(all), 20)
}
