package projects

import (
	"fmt"
	"path"
	"slices"

	"xtoo/projects/library"
	"xtoo/projects/schema"
)

// stepUse is a step as a node uses it.
type stepUse struct {
	step  *library.Step
	args  []argument // one for each parameter of the step
	texts map[*schema.Value]*tmplText
	from  *origin // where paths begin: in its directory dir
	dir   string
	typed bool // it stands in a type: paths that hold a template begin in the project that has it
}

// argument is what a node has for a parameter.
type argument struct {
	param *library.Parameter
	val   *schema.Value // as it stands, or the default; nil: nothing
	pos   schema.Position
}

// what names the argument for messages.
func (u *stepUse) what(a argument) string {
	return fmt.Sprintf("parameter %q of step %q: ", a.param.Name, u.step.Name)
}

// step reads `step` and `with` of a node.
func (d *decoder) step(s *nodeScript, v *schema.Value) {
	name, with := v.Get("step"), v.Get("with")
	if name == nil {
		if at, stands := v.Has("with"); stands {
			if _, wrong := v.Has("step"); !wrong {
				d.probs.Hintf(at, "scripts of one's own have \"values\" and \"env\"", "\"with\" has the parameters of a step, and there is no \"step\"")
			}
		}
		return
	}
	step := d.library.Step(name.Text, name.Pos, d.probs)
	if step == nil {
		return
	}
	u := &stepUse{step: step, texts: map[*schema.Value]*tmplText{}, from: d.from, dir: d.dir, typed: d.inType}
	s.step, s.body, s.interp, s.narrow = u, step.Script, []string{defaultInterpreter}, true
	if !step.Network {
		s.exec.network = NetworkNone
	}
	var given *schema.Value
	if _, stands := v.Has("with"); stands {
		if given = with.As(step.Shape(), fmt.Sprintf("\"with\" of step %q", step.Name), d.probs); given == nil {
			return // reported
		}
	}
	for _, p := range step.Parameters {
		a := argument{param: p, val: given.Get(p.Name), pos: name.Pos}
		if a.val == nil {
			if _, wrong := given.Has(p.Name); p.Required && given == nil && !wrong {
				d.probs.Hintf(name.Pos, "write it under \"with\"", "step %q needs its parameter %q", step.Name, p.Name)
			}
			a.val = p.Default
		} else {
			a.pos = a.val.Pos
		}
		if a.val != nil {
			d.argument(s, u, a)
		}
		u.args = append(u.args, a)
	}
}

// argument looks at what a node has for a parameter: all that can be said without values.
func (d *decoder) argument(s *nodeScript, u *stepUse, a argument) {
	if a.param.Type == library.TypeSecret {
		s.values = append(s.values, nameRef{a.val.Text, a.val.Pos})
		return
	}
	dynamic := false
	var parse func(v *schema.Value)
	parse = func(v *schema.Value) {
		if v.Kind == schema.KindText {
			u.texts[v] = d.parse(v)
			dynamic = dynamic || library.HasTemplate(v)
		}
		for _, item := range v.Items {
			parse(item)
		}
		for _, e := range v.Keys {
			parse(e.Val)
		}
	}
	parse(a.val)
	if dynamic {
		return // what it comes to is looked at when it is rendered
	}
	text := u.encode(a, scope{}, d.probs)
	if a.param.Type == library.TypePath && text != "" {
		u.from.fileSet(u.dir, text, a.pos, d.probs)
	}
}

// encode makes the text of an argument's variable; of paths and secrets, their names.
func (u *stepUse) encode(a argument, s scope, probs *schema.Problems) string {
	text := a.param.Encode(a.val, func(v *schema.Value) (string, bool) {
		t := u.texts[v]
		if t == nil {
			return v.Text, true
		}
		out, err := t.render(s)
		if err != nil {
			probs.Addf(t.pos, "%s%v", u.what(a), err)
		}
		return out, err == nil
	}, func(pos schema.Position, msg string) { probs.Addf(pos, "%s%s", u.what(a), msg) })
	if len(text) > maxValue {
		probs.Addf(a.pos, "%sit has %d bytes: more than the %d that fit in an environment", u.what(a), len(text), maxValue)
	}
	return text
}

// eachText goes through the texts of the arguments, in order; of nil, none.
func (u *stepUse) eachText(do func(*tmplText)) {
	if u == nil {
		return
	}
	var walk func(v *schema.Value)
	walk = func(v *schema.Value) {
		if t := u.texts[v]; t != nil {
			do(t)
		}
		for _, item := range v.Items {
			walk(item)
		}
		for _, e := range v.Keys {
			walk(e.Val)
		}
	}
	for _, a := range u.args {
		if a.val != nil {
			walk(a.val)
		}
	}
}

// checkSecrets checks that what steps take as secrets are secret. That they are declared has been checked with the other
// values that a node names.
func (l *loader) checkSecrets(p *Project, u *stepUse) {
	if u == nil {
		return
	}
	for _, a := range u.args {
		if a.param.Type != library.TypeSecret || a.val == nil {
			continue
		}
		if c := p.visible[a.val.Text]; c != nil && !isSet(c.secret) {
			l.probs.Hintf(a.pos, fmt.Sprintf("declare it with secret: true, in %s", c.pos), "%svalue %q is no secret", u.what(a), a.val.Text)
		}
	}
}

// arguments gives a step's parameters to its script: a variable each. It returns the node's files, those among
// them that parameters name.
func (r *resolver) arguments(n *Node, script *nodeScript, env map[string]string, s scope) []fileSet {
	u, files := script.step, script.files
	for _, a := range u.args {
		text := u.encode(a, s, r.probs)
		switch {
		case text == "":
		case a.param.Type == library.TypeSecret:
			text = SecretsDir + "/" + text
		case a.param.Type == library.TypePath:
			from, dir := u.from, u.dir
			if u.typed && library.HasTemplate(a.val) {
				from, dir = r.tree.from, n.Project.Project.Tag
			}
			set, ok := from.fileSet(dir, text, a.pos, r.probs)
			if ok {
				files = withFiles(files, set)
			}
			text = path.Join(FilesDir, set.path)
		}
		env[a.param.Variable()] = text
	}
	return files
}

// withFiles adds a set to others. What is in a set already is not added, and what is in the added one goes.
func withFiles(files []fileSet, set fileSet) []fileSet {
	if slices.ContainsFunc(files, set.within) {
		return files
	}
	out := slices.DeleteFunc(slices.Clone(files), func(o fileSet) bool { return o.within(set) })
	return append(out, set)
}
