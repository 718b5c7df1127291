package projects

import (
	"slices"

	"xtoo/projects/schema"
)

// giveTypes looks the types of all projects up and gives the projects what their types have.
func (l *loader) giveTypes(t *Tree) {
	for _, p := range t.projects {
		if p.typ == "" {
			continue
		}
		if p.of = l.typeOf(p.typ, p.typePos, nil); p.of == nil {
			p.typeless = true // it is not known what it would be
		}
	}
	for _, p := range t.projects {
		if p.of == nil {
			continue
		}
		l.checkParent(t, p)
		l.checkDeclaredArch(p)
		p.extend(p.of, l.probs)
		p.scripts = slices.DeleteFunc(p.scripts, func(s *nodeScript) bool { return s.own })
	}
}

// extend puts what a type has below what stands in a configuration, or in a type that extends it. The type stays as it is:
// others are made from it, too.
func (p *Project) extend(of *projectType, probs *schema.Problems) {
	base := of.content
	p.optional = base.Exclude
	p.Exclude = slices.Concat(base.Exclude, p.Exclude)
	p.values = valuesOver(base.values, p.values)
	p.env = slices.Concat(base.env, p.env)
	p.volumes = slices.Concat(base.volumes, p.volumes)
	exec := base.exec
	exec.add(p.exec)
	p.exec = exec
	p.scripts = p.scriptsIn(of, probs)
	p.checks = p.withChecks(of, probs)
	p.image = p.image.over(base.image)
	for o, text := range base.outputs {
		if p.outputs[o] == nil {
			p.outputs[o] = text
		}
	}
}

// valuesOver completes declarations by those of a type. What is declared in both has its place among those of the type.
func valuesOver(base, own []*declaration) []*declaration {
	byName := map[string]*declaration{}
	for _, c := range own {
		byName[c.name] = c
	}
	var out []*declaration
	for _, c := range base {
		mine := byName[c.name]
		if mine == nil {
			copied := *c
			out = append(out, &copied)
			continue
		}
		delete(byName, c.name)
		full := mine.over(c)
		if full.def == nil && full.byArch == nil {
			full.def, full.byArch = c.def, c.byArch
		}
		out = append(out, full)
	}
	for _, c := range own {
		if byName[c.name] != nil {
			out = append(out, c)
		}
	}
	return out
}

// scriptsIn puts the project's nodes among those of the type.
func (p *Project) scriptsIn(of *projectType, probs *schema.Problems) []*nodeScript {
	var out []*nodeScript
	byName := map[string]*nodeScript{}
	for _, s := range of.content.scripts {
		if s.own {
			out = append(out, p.scripts...)
			continue
		}
		out = append(out, s)
		byName[s.name] = s
	}
	for _, s := range p.scripts {
		if other := byName[s.name]; other != nil && !s.own {
			probs.Hintf(s.pos, "give it another name", "the type %q has a script %q already, in %s", of.name, s.name, other.pos)
		}
	}
	return out
}

// over completes the settings by others. An entrypoint takes the place of the other's cmd, too: that were its arguments.
func (c imageConfig) over(base imageConfig) imageConfig {
	out := c
	if c.entrypoint == nil {
		out.entrypoint = base.entrypoint
		if c.cmd == nil {
			out.cmd = base.cmd
		}
	}
	out.env = slices.Concat(base.env, c.env)
	out.labels = slices.Concat(base.labels, c.labels)
	if c.ports == nil {
		out.ports = base.ports
	}
	if c.volumes == nil {
		out.volumes = base.volumes
	}
	for _, o := range []struct{ to, with **string }{{&out.user, &base.user}, {&out.workdir, &base.workdir}, {&out.stopSignal, &base.stopSignal}} {
		if *o.to == nil {
			*o.to = *o.with
		}
	}
	return out
}
