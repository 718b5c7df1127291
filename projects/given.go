package projects

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"xtoo/internal/nearest"
	"xtoo/projects/ask"
	"xtoo/projects/schema"
	"xtoo/qemu"
)

// Given is what the person who builds gives to [Tree.Resolve]. The zero value gives nothing.
type Given struct {
	// Set holds "NAME=VALUE" and "TAG:NAME=VALUE"; of several for one value the last counts. NAME reaches
	// every project that declares the value; TAG:NAME one project and, by inheritance, those below it, and
	// goes before NAME. The items of a list are separated by commas.
	Set []string
	// Secrets holds "NAME=file:PATH" and "NAME=env:VARIABLE" with the left sides that Set has: where a secret is
	// found. A line end at the end of a file is no part of it. It counts as Set does, and only for values that are secret.
	Secrets []string
	// Env is the environment, "NAME=value": what templates read of it, and, where it holds XTOO_VALUE_<NAME>, values as
	// Set gives them, which count after Files.
	Env []string
	// AnswerFiles are paths of files as [Tree.Record] writes them, or as Files has them; a tag there may have a platform
	// behind it, as [Label] writes it. They count after Env, the last file first.
	AnswerFiles []string
	// Answers are for values that were missing: they count where nothing else gives the value, so
	// that what somebody is asked for one platform leaves the defaults of the others alone.
	Answers []ask.Answer
	// Ask has values with a prompt asked for even where there is a default: they are missing until there is an
	// answer, which may be that the default will do.
	Ask bool
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
	// Offline gives no script a network, whatever is declared: each is then the node that one without is.
	Offline bool
}

// givenValue is one value somebody gave.
type givenValue struct {
	pos       schema.Position // zero for --set
	text      string
	list      []string // not nil: a list
	cli       bool     // text is a list's items with commas between
	secret    bool     // it must not become a value that is none
	byDefault bool     // nothing: the default will do
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
func (t *Tree) sources(g Given, probs *schema.Problems) []source {
	env := environ(g.Env)
	set := t.setSource(g.Set, probs)
	t.secretSource(set, g.Secrets, env, probs)
	out := []source{set}
	for _, file := range slices.Backward(g.Files) {
		out = append(out, t.fileSource(file, probs))
	}
	out = append(out, t.envSource(env))
	for _, file := range slices.Backward(g.AnswerFiles) {
		out = append(out, t.fileSource(file, probs))
	}
	return out
}

// declared returns the names of all values that any project declares.
func (t *Tree) declared() []string {
	all := map[string]bool{}
	for _, p := range t.projects {
		for _, c := range p.values {
			all[c.name] = true
		}
	}
	return sortedKeys(all)
}

func (t *Tree) setSource(set []string, probs *schema.Problems) source {
	s := newSource()
	for _, arg := range set {
		left, value, ok := strings.Cut(arg, "=")
		if !ok || left == "" {
			// The argument is not repeated: it may be a secret.
			probs.Hintf(schema.Position{}, "as in --set hostname=box", "--set needs NAME=VALUE")
			continue
		}
		t.putLeft(s, "--set ", left, givenValue{text: value, cli: true}, probs)
	}
	return s
}

// putLeft adds a value that an option gives for NAME or TAG:NAME, if there is such a value.
func (t *Tree) putLeft(s source, option, left string, v givenValue, probs *schema.Problems) {
	tag, name, specific := strings.Cut(left, ":")
	if !specific {
		tag, name = "", left
	}
	tag = strings.TrimRight(tag, "/")
	switch {
	case !t.knows(schema.Position{}, option+left, tag, name, probs):
	case specific:
		s.put(tag, name, v)
	default:
		s.general[name] = v
	}
}

// SecretsIn lists the left sides, NAME or TAG:NAME, of those that give a secret of any project, of what is as
// [Given.Set] has it.
func (t *Tree) SecretsIn(set []string) []string {
	var lefts []string
	for _, arg := range set {
		left, _, _ := strings.Cut(arg, "=")
		tag, name, specific := strings.Cut(left, ":")
		if !specific {
			tag, name = "", left
		}
		if slices.ContainsFunc(t.projects, func(p *Project) bool {
			c := p.visible[name]
			return (!specific || p.Tag == strings.TrimRight(tag, "/")) && c != nil && isSet(c.secret)
		}) {
			lefts = append(lefts, left)
		}
	}
	return lefts
}

// answerSource is what was answered. An answer to what nobody asked counts nowhere.
func answerSource(answers []ask.Answer) source {
	s := newSource()
	for _, a := range answers {
		for _, label := range answerLabels(a) {
			s.put(label, a.Name, givenValue{text: a.Text, cli: true, byDefault: a.Default})
		}
	}
	return s
}

// answerLabels are what an answer is for.
func answerLabels(a ask.Answer) []string {
	if len(a.Platforms) == 0 {
		return []string{a.Project}
	}
	var out []string
	for _, platform := range a.Platforms {
		out = append(out, Label(a.Project, platform))
	}
	return out
}

func (s source) put(tag, name string, v givenValue) {
	if s.specific[tag] == nil {
		s.specific[tag] = map[string]givenValue{}
	}
	s.specific[tag][name] = v
}

// knows checks that there is such a value: anywhere, or in a project.
func (t *Tree) knows(pos schema.Position, what, tag, name string, probs *schema.Problems) bool {
	known := t.declared()
	where := "no project declares"
	if tag != "" {
		p := t.find(tag)
		if p == nil {
			probs.Addf(pos, "%s: there is no project %q%s", what, tag, nearest.DidYouMean(tag, t.Tags()))
			return false
		}
		known, where = sortedKeys(p.visible), fmt.Sprintf("project %q does not have", tag)
	}
	if slices.Contains(known, name) {
		return true
	}
	p := schema.Problem{Pos: pos, Msg: fmt.Sprintf("%s: %s a value %q%s", what, where, schema.Shorten(name), nearest.DidYouMean(name, known))}
	if !strings.HasSuffix(p.Msg, "?") {
		p.Hint = "there are no values"
		if len(known) > 0 {
			p.Hint = "values are " + firstFew(known, 20)
		}
	}
	probs.Add(p)
	return false
}

// valuesDocument is a file of values. Which keys may hold a mapping is checked afterwards.
func valuesDocument() *schema.Document {
	value := func() *schema.Shape {
		return &schema.Shape{What: "text, a number, true or false, or a list of them",
			Text: &schema.Text{Empty: true}, Boolean: true, Integer: true, Literal: true,
			List: &schema.List{Item: literal("text, a number, or true or false")}}
	}
	names := func(v *schema.Shape) *schema.Dict {
		return &schema.Dict{Key: valuePattern(), KeyWant: "a value's name", Value: v}
	}
	section := &schema.Shape{What: "a mapping of values (name: value)", Dict: names(value())}
	top := value()
	top.Dict = &schema.Dict{Key: anyKey(), Value: section}
	return &schema.Document{Label: "the file of values", Program: program,
		Root: &schema.Shape{What: "a mapping of values (name: value)", Dict: names(top)}}
}

func (t *Tree) fileSource(path string, probs *schema.Problems) source {
	s := newSource()
	// The file is this machine's, whatever the source of the tree is.
	data, _, err := readRegular(disk(filepath.Dir(path)), filepath.Base(path), MaxConfigSize)
	if err != nil {
		probs.Add(schema.Problem{Pos: schema.Position{File: path}, Msg: "cannot read the values: " + reason(err), Err: err})
		return s
	}
	all, _ := valuesDocument().Read(path, data, probs)
	if all == nil {
		return s
	}
	for _, e := range all.Keys {
		if e.Key != sectionsKey {
			if e.Val.Kind == schema.KindMap {
				probs.Addf(e.Val.Pos, "%q must be text, a number, true or false, or a list of them, found a mapping", e.Key)
			} else if t.knows(e.Pos, "values", "", e.Key, probs) {
				s.general[e.Key] = givenOf(e.Val)
			}
			continue
		}
		if e.Val.Kind != schema.KindMap {
			probs.Addf(e.Val.Pos, "%q must be a mapping of tags to values", e.Key)
			continue
		}
		for _, project := range e.Val.Keys {
			tag, platform := splitLabel(project.Key)
			for _, v := range project.Val.Keys {
				if t.knows(v.Pos, "values", tag, v.Key, probs) {
					s.put(Label(tag, platform), v.Key, givenOf(v.Val))
				}
			}
		}
	}
	return s
}

// splitLabel takes apart what [Label] puts together; a slash at the end of the tag does not matter.
func splitLabel(label string) (tag, platform string) {
	tag, platform, _ = strings.Cut(label, "[")
	return strings.TrimRight(tag, "/"), strings.TrimSuffix(platform, "]")
}

// sectionsKey is the key of the values of single projects in a file of values.
const sectionsKey = "projects"

// givenOf takes a value as it stands: {{ is nothing special in what is given.
func givenOf(v *schema.Value) givenValue {
	raw := rawOf(v, func(v *schema.Value) *tmplText { return &tmplText{pos: v.Pos, src: v.Text} })
	g := givenValue{pos: v.Pos}
	if raw.kind == schema.KindList {
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
func find(sources []source, q *PlannedProject, name string, declares bool) (givenValue, bool) {
	for _, s := range sources {
		if v, ok := s.specific[q.Label()][name]; ok {
			return v, true
		}
		if v, ok := s.specific[q.Project.Tag][name]; ok {
			return v, true
		}
		if v, ok := s.general[name]; ok && declares {
			return v, true
		}
	}
	return givenValue{}, false
}
