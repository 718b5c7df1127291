package projects

import (
	"cmp"
	"fmt"
	"strings"

	"xtoo/projects/ask"
)

// values gives the project its values. A value that is missing or wrong stays out of the
// map, and so do those that depend on it: it is reported once.
func (r *resolver) values(q *PlannedProject) {
	p := q.Project
	q.values = map[string]knownValue{}
	own := map[string]*declaration{}
	for _, c := range p.values {
		own[c.name] = c
	}
	done := map[string]bool{}
	var visit func(name string)
	visit = func(name string) {
		if done[name] {
			return
		}
		done[name] = true // Load has refused cycles
		c := own[name]
		if c != nil {
			for _, used := range c.uses() {
				visit(used)
			}
		}
		if v, ok := r.value(q, name, c); ok {
			q.values[name] = v
		}
	}
	for _, name := range sortedKeys(p.visible) {
		visit(name)
	}
}

// value finds one value; c is nil where the project does not declare it itself.
func (r *resolver) value(q *PlannedProject, name string, c *declaration) (knownValue, bool) {
	if g, ok := find(r.sources, q, name, c != nil); ok {
		return r.givenValue(q, name, g)
	}
	var inherited knownValue
	inherits := false
	if q.Parent != nil {
		inherited, inherits = q.Parent.values[name]
	}
	if c == nil {
		return inherited, inherits
	}
	if len(c.byArch) > 0 && q.Arch.IsZero() {
		if !r.early {
			r.probs.Addf(c.pos, "value %q has defaults of single architectures, but the architecture is not known: declare it", name)
		}
		return knownValue{}, false
	}
	def := c.defaultFor(q.Arch)
	switch {
	case def != nil:
		v, ok := r.defaultValue(q, c, def)
		if r.given.Ask && c.prompt != "" && ok {
			return r.offered(q, c, def, v)
		}
		return v, ok
	case inherits:
		// The declaration here may allow less than the one above.
		v, err := c.value(inherited.reveal(), inherited.items())
		if err != nil {
			r.probs.Addf(c.pos, "value %q, inherited from %q: %v", name, q.Parent.Project.Tag, err)
		}
		return v, err == nil
	case q.Project.inherits(name):
		return knownValue{}, false // missing there, and reported
	}
	if g, ok := find([]source{r.answers}, q, name, false); ok {
		return r.givenValue(q, name, g)
	}
	r.miss(q, c, "", len(c.byArch) > 0)
	return knownValue{}, false
}

// offered is what was answered where somebody is asked although there is a default; until then it is missing.
func (r *resolver) offered(q *PlannedProject, c *declaration, def *rawValue, v knownValue) (knownValue, bool) {
	g, answered := find([]source{r.answers}, q, c.name, false)
	switch {
	case answered && g.byDefault:
	case answered:
		return r.givenValue(q, c.name, g)
	default:
		shown := v.String()
		if !v.isSecret() && v.typ == typeList {
			shown = strings.Join(v.list, ",")
		}
		r.miss(q, c, shown, len(c.byArch) > 0 || def.usesArch())
	}
	return v, true
}

// miss notes a value that nobody gave, once for all platforms. def is what an empty answer means; apart: other platforms have others.
func (r *resolver) miss(q *PlannedProject, c *declaration, def string, apart bool) {
	platform := ""
	if apart {
		platform = q.Platform()
	}
	for i, m := range r.missing {
		if m.Project == q.Project.Tag && m.Name == c.name && (m.Default == def || platform == "") {
			if platform != "" {
				r.missing[i].Platforms = append(m.Platforms, platform)
			}
			return
		}
	}
	m := missing{c.question(q.Project.Tag), c.pos}
	m.Default = def
	if platform != "" {
		m.Platforms = []string{platform}
	}
	r.missing = append(r.missing, m)
}

// question asks for the value.
func (c *declaration) question(project string) ask.Question {
	return ask.Question{
		Project: project, Name: c.name, Prompt: cmp.Or(c.prompt, c.name), Choices: c.choices, Many: c.valueType() == typeList,
		Secret: isSet(c.secret), Confirm: isSet(c.confirm) || c.confirm == nil && isSet(c.secret), Help: c.help, Want: c.want(),
		Check: func(text string) error {
			_, err := c.fromText(text)
			return err
		},
	}
}

// reveal and items give back what a value was made of.
func (v knownValue) reveal() string {
	if v.secret != nil {
		return v.secret.Reveal()
	}
	return v.text
}

func (v knownValue) items() []string {
	if v.secret == nil && v.typ == typeList {
		return append([]string{}, v.list...)
	}
	return nil
}

func (r *resolver) givenValue(q *PlannedProject, name string, g givenValue) (knownValue, bool) {
	c := q.Project.visible[name]
	if g.secret && !isSet(c.secret) {
		r.probs.Hintf(c.pos, fmt.Sprintf("name the project that it is for: --secret TAG:%s=…", name),
			"--secret %s gives a secret, and in project %q the value of this name is none", name, q.Project.Tag)
		return knownValue{}, false
	}
	v, err := c.value(g.text, g.list)
	if g.cli {
		v, err = c.fromText(g.text)
	}
	if err != nil {
		r.probs.Hintf(g.pos, fmt.Sprintf("it is declared in %s", c.pos), "value %q: %v", name, err)
	}
	return v, err == nil
}

// fromText makes a value of what somebody typed: the items of a list are separated by commas.
func (c *declaration) fromText(text string) (knownValue, error) {
	if c.valueType() != typeList || isSet(c.secret) {
		return c.value(text, nil)
	}
	return c.value("", splitList(text))
}

// splitList takes a list apart that somebody typed.
func splitList(text string) []string {
	items := []string{}
	for _, word := range strings.Split(text, ",") {
		if word = strings.TrimSpace(word); word != "" {
			items = append(items, word)
		}
	}
	return items
}

func (r *resolver) defaultValue(q *PlannedProject, c *declaration, def *rawValue) (knownValue, bool) {
	var s scope
	if def.dynamic() {
		s = r.scope(q, isSet(c.secret))
	}
	for _, name := range def.uses() {
		if name == c.name && q.Parent != nil { // means the inherited one
			v, ok := q.Parent.values[name]
			if !ok {
				return knownValue{}, false
			}
			s.values[name] = v.data()
			if isSet(c.secret) {
				s.values[name] = v.reveal()
			}
		}
		if _, ok := s.values[name]; !ok {
			return knownValue{}, false // missing or wrong, and reported
		}
	}
	if r.early && q.Arch.IsZero() && def.usesArch() {
		return knownValue{}, false
	}
	text, items, err := def.render(s)
	var v knownValue
	if err == nil {
		v, err = c.value(text, items)
	}
	if err != nil {
		r.probs.Addf(def.pos, "%s: %v", c.titleOf(def), err)
	}
	return v, err == nil
}

// scope is what templates of the project see of what is known so far.
func (r *resolver) scope(q *PlannedProject, secrets bool) scope {
	values := make(map[string]any, len(q.values))
	for name, v := range q.values {
		switch {
		case !v.isSecret():
			values[name] = v.data()
		case secrets:
			values[name] = v.reveal()
		}
	}
	s := newScope(q.Project, q.Arch, values)
	s.env = r.env
	if !secrets {
		s.secretEnv = r.secretEnv
	}
	return s
}
