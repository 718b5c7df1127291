package projects

import (
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"

	"xtoo/internal/nearest"
	"xtoo/projects/schema"
)

// check holds the tree to the rules that need all of it.
func (l *loader) check(t *Tree) {
	sifs := sifNames{}
	for _, p := range t.projects {
		l.checkBase(p)
		sifs.claim(p, sifName(p.Tag, ""), l.probs)
		for _, b := range p.Root().Bases {
			if b.Several() && !b.Arch.IsZero() {
				sifs.claim(p, sifName(p.Tag, b.Arch.String()), l.probs)
			}
		}
		l.link(p)
		l.checkDefaults(p)
		l.checkCycles(p)
		l.checkUses(p)
	}
}

func (l *loader) checkBase(p *Project) {
	switch {
	case p.broken:
	case p.parent == nil && !p.hasBase:
		l.probs.Hintf(p.Pos, "add \"stage3\" (a stage3 tarball) or \"from\" (another image, or scratch)",
			"the project has no parent and does not say what it starts from")
	case p.parent != nil && p.hasBase:
		l.probs.Hintf(p.Pos, "remove the key, or move the directory out of its parent's",
			"the project starts from its parent %q, and so cannot have \"stage3\" or \"from\"", p.parent.Tag)
	}
}

// link makes the values that a project sees: its own, completed by those above it, and the inherited.
func (l *loader) link(p *Project) {
	p.visible = map[string]*declaration{}
	if p.parent != nil {
		for name, c := range p.parent.visible {
			p.visible[name] = c
		}
	}
	for i, c := range p.values {
		if up := p.visible[c.name]; up != nil && isSet(up.secret) && c.secret != nil && !*c.secret {
			l.probs.Hintf(c.pos, "choose another name for a value that may be seen", "value %q is secret in a project above, and stays so", c.name)
		}
		full := c.over(p.visible[c.name])
		p.values[i] = full
		p.visible[c.name] = full
		l.checkBounds(full)
		if !isSet(full.secret) {
			continue
		}
		if full.holdsList() {
			l.probs.Addf(c.pos, "value %q: a secret is one text, not a list", c.name)
		}
		if full.choices != nil {
			l.probs.Addf(c.pos, "value %q: a secret cannot have choices, which tell what it may be", c.name)
		}
		l.hide(p, full)
	}
}

// hide takes the defaults of a secret out of what is shown of the configuration: the source is part of SIF
// files.
func (l *loader) hide(p *Project, c *declaration) {
	for _, def := range c.defaults() {
		if def.text == nil || def.text.src == "" || def.pos.File != p.config { // a type is no part of what is shown
			continue
		}
		if !def.dynamic() {
			l.warn.Hintf(def.pos, "leave the default out: xtoo asks for it, or takes it from --values",
				"value %q is secret, and its default stands here for all to read", c.name)
		}
		*def.node = yaml.Node{Kind: yaml.ScalarNode, Style: yaml.DoubleQuotedStyle, Value: hidden, Anchor: def.node.Anchor}
		source, err := yaml.Marshal(p.doc)
		if err != nil { // aliases that hold themselves
			l.probs.Add(schema.Problem{Pos: def.pos, Msg: fmt.Sprintf("cannot write the configuration without the default of the secret %q: %v", c.name, err), Err: err})
			return
		}
		p.Source = source
	}
}

// checkDefaults tries the defaults that hold no template: they must be of the type and among the choices.
func (l *loader) checkDefaults(p *Project) {
	for _, c := range p.values {
		for _, def := range c.defaults() {
			if def.dynamic() {
				continue
			}
			text, items, err := def.render(scope{})
			if err == nil {
				_, err = c.value(text, items)
			}
			if err != nil {
				l.probs.Addf(def.pos, "%s: %v", c.titleOf(def), err)
			}
		}
	}
}

// dynamic reports whether the text depends on anything.
func (r *rawValue) dynamic() bool {
	return slices.ContainsFunc(r.texts(), func(t *tmplText) bool { return t.tmpl != nil })
}

// usesArch reports whether the text depends on the architecture.
func (r *rawValue) usesArch() bool {
	return slices.ContainsFunc(r.texts(), func(t *tmplText) bool { return t.arch })
}

// render makes the texts of a value: a text, or items.
func (r *rawValue) render(s scope) (text string, items []string, err error) {
	if r.kind != schema.KindList {
		text, err = r.text.render(s)
		return text, nil, err
	}
	items = []string{}
	for _, item := range r.items {
		word, err := item.render(s)
		if err != nil {
			return "", nil, err
		}
		items = append(items, word)
	}
	return "", items, nil
}

// checkCycles reports each cycle among the defaults of a project once, as a chain. A default may refer to
// its own name when a project above declares it: it then means that project's value.
func (l *loader) checkCycles(p *Project) {
	own := map[string]*declaration{}
	for _, c := range p.values {
		own[c.name] = c
	}
	const (
		open = 1
		done = 2
	)
	state := map[string]int{}
	var chain []string
	var visit func(name string)
	visit = func(name string) {
		switch state[name] {
		case done:
			return
		case open:
			l.reportCycle(own, chain, name)
			return
		}
		state[name] = open
		chain = append(chain, name)
		for _, used := range own[name].uses() {
			if own[used] == nil || used == name && p.inherits(name) {
				continue
			}
			visit(used)
		}
		chain = chain[:len(chain)-1]
		state[name] = done
	}
	for _, c := range p.values {
		visit(c.name)
	}
}

func (p *Project) inherits(name string) bool {
	return p.parent != nil && p.parent.visible[name] != nil
}

func (l *loader) reportCycle(own map[string]*declaration, chain []string, name string) {
	for i, c := range chain {
		if c != name {
			continue
		}
		ring := append(append([]string(nil), chain[i:]...), name)
		var where []string
		for j, r := range ring[:len(ring)-1] {
			pos := own[r].user(ring[j+1]).pos
			where = append(where, fmt.Sprintf("%s in line %d", r, pos.Line))
		}
		l.probs.Hintf(own[name].user(ring[1]).pos, "give one of them a default of its own: "+strings.Join(where, ", "),
			"values refer to each other in a circle: %s", strings.Join(ring, " -> "))
		return
	}
}

// checkUses checks that what templates and scripts refer to is declared, and that secrets stay where they
// belong.
func (l *loader) checkUses(p *Project) {
	names := sortedKeys(p.visible)
	use := func(t *tmplText, secretsToo bool) {
		if t == nil {
			return
		}
		for _, name := range t.uses {
			switch c := p.visible[name]; {
			case c == nil:
				hint := "declare it under \"values\", here or in a project above"
				l.probs.Hintf(t.pos, hint, "template: there is no value %q%s", name, nearest.DidYouMean(name, names))
			case isSet(c.secret) && !secretsToo:
				l.probs.Hintf(t.pos, "scripts read it from the file $XTOO_SECRETS/"+name,
					"template: value %q is secret, and what templates make ends up in images and logs", name)
			}
		}
	}
	for _, c := range p.values {
		for _, def := range c.defaults() {
			use(def.text, isSet(c.secret))
			for _, item := range def.items {
				use(item, false)
			}
		}
	}
	entries := func(list []envEntry) {
		for _, e := range list {
			use(e.text, false)
		}
	}
	entries(p.env)
	entries(p.image.env)
	entries(p.image.labels)
	for _, list := range [][]*tmplText{p.image.entrypoint, p.image.cmd, p.outputTexts()} {
		for _, t := range list {
			use(t, false)
		}
	}
	refs := func(list []nameRef) {
		for _, ref := range list {
			if p.visible[ref.name] == nil {
				l.probs.Hintf(ref.pos, "declare it under \"values\", here or in a project above",
					"there is no value %q%s", ref.name, nearest.DidYouMean(ref.name, names))
			}
		}
	}
	var scripts func(list []*nodeScript)
	scripts = func(list []*nodeScript) {
		for _, s := range list {
			use(s.run, false)
			s.step.eachText(func(t *tmplText) { use(t, false) })
			l.checkSecrets(p, s.step)
			if s.when != nil {
				refs([]nameRef{*s.when})
			}
			entries(s.env)
			refs(s.values)
			scripts(s.children)
		}
	}
	scripts(p.scripts)
	scripts(scriptsOf(p.checks))
	for _, c := range p.checks {
		if c.args != nil {
			for _, t := range c.args.texts() {
				use(t, false)
			}
		}
	}
}
