package projects

import (
	"fmt"
	"strings"

	"xtoo/internal/nearest"
	"xtoo/qemu"
)

// Given is what the person who builds gives to [Tree.Resolve]. The zero value gives nothing.
type Given struct {
	// Set holds "NAME=VALUE" and "TAG:NAME=VALUE"; of several for one value the last counts. NAME reaches
	// every project that declares the value; TAG:NAME one project and, by inheritance, those below it, and
	// goes before NAME. The items of a list are separated by commas.
	Set []string
	// Answers holds "TAG:NAME=VALUE" for values that were missing: they count where nothing else gives the value, so
	// that what somebody is asked for one platform leaves the defaults of the others alone.
	Answers []string
	// Files are paths of YAML files: a mapping of names to values, and under the key `projects` a mapping
	// of tags to such mappings, which goes before it. Of several files the last counts; Set goes before
	// all.
	Files []string
	// Arch holds the architectures of the bases that do not declare one. Others are not looked up.
	Arch map[*Base]qemu.Arch
	// Platforms names what is to be built of roots with several bases, as [qemu.ParsePattern] reads it
	// ("arm-64bit", "arm-64bit/raspi4"); empty: everything. It applies to all roots: a project that is for none
	// of them is left out, or, if the projects are Named, an error.
	Platforms []string
	// Named says that somebody asked for each of the selected projects.
	Named bool
}

// givenValue is one value somebody gave.
type givenValue struct {
	pos  Position // zero for --set
	text string
	list []string // not nil: a list
	cli  bool     // text is a list's items with commas between
}

// source is one place values come from.
type source struct {
	general  map[string]givenValue
	specific map[string]map[string]givenValue // by tag, then name
}

func newSource() source {
	return source{general: map[string]givenValue{}, specific: map[string]map[string]givenValue{}}
}

// sources reads all that was given, in the order in which it counts.
func (t *Tree) sources(g Given, probs *problems) []source {
	out := []source{t.setSource(g.Set, probs)}
	for i := len(g.Files) - 1; i >= 0; i-- {
		out = append(out, t.fileSource(g.Files[i], probs))
	}
	return out
}

// declared returns the names of all values that any project declares.
func (t *Tree) declared() []string {
	all := map[string]bool{}
	for _, p := range t.Projects {
		for _, c := range p.values {
			all[c.name] = true
		}
	}
	return sortedKeys(all)
}

func (t *Tree) setSource(set []string, probs *problems) source {
	s := newSource()
	for _, arg := range set {
		left, value, ok := strings.Cut(arg, "=")
		if !ok || left == "" {
			// The argument is not repeated: it may be a secret.
			probs.hintf(Position{}, "as in --set hostname=box", "--set needs NAME=VALUE")
			continue
		}
		v := givenValue{text: value, cli: true}
		if tag, name, specific := strings.Cut(left, ":"); specific {
			if t.knows(Position{}, "--set "+left, strings.TrimRight(tag, "/"), name, probs) {
				s.put(strings.TrimRight(tag, "/"), name, v)
			}
			continue
		}
		if t.knows(Position{}, "--set "+left, "", left, probs) {
			s.general[left] = v
		}
	}
	return s
}

func (s source) put(tag, name string, v givenValue) {
	if s.specific[tag] == nil {
		s.specific[tag] = map[string]givenValue{}
	}
	s.specific[tag][name] = v
}

// knows checks that there is such a value: anywhere, or in a project.
func (t *Tree) knows(pos Position, what, tag, name string, probs *problems) bool {
	known := t.declared()
	where := "no project declares"
	if tag != "" {
		p := t.Find(tag)
		if p == nil {
			probs.addf(pos, "%s: there is no project %q%s", what, tag, nearest.DidYouMean(tag, t.Tags()))
			return false
		}
		known, where = sortedKeys(p.visible), fmt.Sprintf("project %q does not have", tag)
	}
	if contains(known, name) {
		return true
	}
	p := Problem{Pos: pos, Msg: fmt.Sprintf("%s: %s a value %q%s", what, where, shorten(name), nearest.DidYouMean(name, known))}
	if !strings.HasSuffix(p.Msg, "?") {
		p.Hint = "there are no values"
		if len(known) > 0 {
			p.Hint = "values are " + firstFew(known, 20)
		}
	}
	probs.add(p)
	return false
}

// valuesShape is a file of values. Which keys may hold a mapping is checked afterwards.
func valuesShape() *shape {
	value := func() *shape {
		return &shape{what: "text, a number, true or false, or a list of them",
			text: &textRule{empty: true}, boolean: true, integer: true, literal: true,
			list: &listRule{item: literal("text, a number, or true or false")}}
	}
	names := func(v *shape) *dict {
		return &dict{key: valuePattern, keyWant: "a value's name", value: v}
	}
	section := &shape{what: "a mapping of values (name: value)", dict: names(value())}
	top := value()
	top.dict = &dict{key: anyKey, value: section}
	return &shape{what: "a mapping of values (name: value)", dict: names(top)}
}

func (t *Tree) fileSource(path string, probs *problems) source {
	s := newSource()
	data, err := readRegular(path, MaxConfigSize)
	if err != nil {
		probs.add(Problem{Pos: Position{File: path}, Msg: "cannot read the values: " + reason(err), Err: err})
		return s
	}
	r := reader{file: path, probs: probs}
	n := r.document(data)
	if n == nil {
		return s
	}
	for _, e := range r.read(n, valuesShape(), "the file of values", 0).entries() {
		if e.key != sectionsKey {
			if e.val.kind == kindMap {
				probs.addf(e.val.pos, "%q must be text, a number, true or false, or a list of them, found a mapping", e.key)
			} else if t.knows(e.pos, "values", "", e.key, probs) {
				s.general[e.key] = givenOf(e.val)
			}
			continue
		}
		if e.val.kind != kindMap {
			probs.addf(e.val.pos, "%q must be a mapping of tags to values", e.key)
			continue
		}
		for _, project := range e.val.keys {
			tag := strings.TrimRight(project.key, "/")
			for _, v := range project.val.keys {
				if t.knows(v.pos, "values", tag, v.key, probs) {
					s.put(tag, v.key, givenOf(v.val))
				}
			}
		}
	}
	return s
}

// sectionsKey is the key of the values of single projects in a file of values.
const sectionsKey = "projects"

func (v *val) entries() []entry {
	if v == nil {
		return nil
	}
	return v.keys
}

func givenOf(v *val) givenValue {
	raw := rawOf(v, nil, false)
	g := givenValue{pos: v.pos}
	if raw.kind == kindList {
		g.list = []string{}
		for _, item := range raw.items {
			g.list = append(g.list, item.src)
		}
		return g
	}
	g.text = raw.text.src
	return g
}

// find looks for what was given for a value of a project. declares: the project itself declares it.
func find(sources []source, tag, name string, declares bool) (givenValue, bool) {
	for _, s := range sources {
		if v, ok := s.specific[tag][name]; ok {
			return v, true
		}
		if v, ok := s.general[name]; ok && declares {
			return v, true
		}
	}
	return givenValue{}, false
}
