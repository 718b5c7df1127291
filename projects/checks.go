package projects

import (
	"slices"
	"strings"
	"unicode"

	"xtoo/projects/schema"
)

// A Check is a script that is executed on a project's finished image, and says by its exit code whether the image is good.
// Nothing of what it does is kept.
type Check struct {
	// Node has all of it but its user. Its path is the check's name, it has no volumes, and its environment comes on top of the image's.
	*Node
	// User it is executed as, as images say it; nil: the image's own.
	User *string
}

// checkScript is one check as a configuration, or a type, has it.
type checkScript struct {
	*nodeScript
	user *string
	// named: the script is that of a check of the library, and args is what it is to look at.
	named bool
	args  *rawValue
}

// checkShape is one check.
func checkShape() *schema.Shape {
	of := map[string]*schema.Field{}
	for _, f := range scriptShape().Object.Fields {
		of[f.Key] = f
	}
	field := func(key, doc, defText string) *schema.Field {
		f := *of[key]
		f.Doc, f.DefText = doc, defText
		return &f
	}
	network := field("network", "`host`: this check has the machine's network. `none`: a loopback interface and nothing else.", "")
	network.DefText = "`none`"
	name := field("name", "Name of the check; different from those of the others.", "")
	name.Example = "ssh"
	name.Shape = &schema.Shape{What: "text", Literal: true, Text: &schema.Text{Pattern: nodePattern(), Want: "a check's name: letters, digits, . _ - (a letter or digit first), at most 64"}}
	run := field("run", of["run"].Doc, "")
	run.Example = `"vim --version"`
	script := field("script", of["script"].Doc, "")
	script.Example = "checks/ssh.sh"
	env := field("env", "Environment of this check, on top of the image's (`image.env`). The project's `env` is for scripts alone."+templateNote, "")
	env.Example = "{TERM: vt100}"
	return &schema.Shape{Name: "check", What: "a check ({name: …, run: …})", Object: &schema.Object{
		OneOf: [][]string{{"run", "script", "check"}},
		Fields: []*schema.Field{
			name, run, script, namedCheck(),
			field("values", "The values that the check sees. Only when one of these changes is it executed again.", "all values of the project; with `check` none"),
			field("files", "Files and directories beside the configuration that the check can read below `$XTOO_FILES`, under the same paths. When one changes it is executed again.", ""),
			env, network,
			field("timeout", "How long the check may take; then it is ended, and has failed.", "the project's, else none"),
			{Key: "user", Shape: &schema.Shape{What: "text (USER or USER:GROUP)", Literal: true, Text: &schema.Text{Empty: true}}, Example: `"root"`,
				Doc: "User (and group) that the check is executed as; empty means root.", DefText: "the image's"},
		},
	}}
}

// namedCheck is the key that names a check of the library.
func namedCheck() *schema.Field {
	args := literal("text, or a list of texts")
	args.List = &schema.List{Item: literal("text"), NonEmpty: true}
	return &schema.Field{
		Key: "check", Example: "{service: sshd}", Shape: &schema.Shape{What: "a mapping of one check (name: what it looks at)", Dict: &schema.Dict{
			Key: anyKey(), KeyWant: "the name of a check", Value: args}},
		Doc: "A check that comes with a [step](steps.md), by its name, and what it looks at: a list of texts, or a text that is split at white space. Where that comes to nothing, nothing is checked." + templateNote,
	}
}

// typeCheckShape is a check of a type, which may depend on a value.
func typeCheckShape(when *schema.Field) *schema.Shape {
	shape := checkShape()
	shape.Name = "typecheck"
	w := *when
	w.Doc = "The name of a value: without it (empty, an empty list, `false`) there is no such check."
	shape.Object.Fields = append(shape.Object.Fields, &w)
	return shape
}

// checks reads `checks` of a project or of a type.
func (d *decoder) checks(v *schema.Value) []checkScript {
	if v == nil {
		return nil
	}
	var out []checkScript
	for i, s := range d.scripts(v, "") {
		c, item := checkScript{nodeScript: s}, v.Items[i]
		if user := item.Get("user"); user != nil {
			text := user.Text
			c.user = &text
		}
		if named := item.Get("check"); named != nil {
			d.namedCheck(&c, named)
		}
		out = append(out, c)
	}
	return out
}

// namedCheck finds a check of the library.
func (d *decoder) namedCheck(c *checkScript, v *schema.Value) {
	if len(v.Keys) == 0 && len(v.Node.Content) > 0 {
		return // reported
	}
	if len(v.Keys) != 1 {
		d.probs.Hintf(v.Pos, "write an item of \"checks\" for each", "\"check\" is one check, as {service: sshd}")
		return
	}
	e := v.Keys[0]
	step := d.library.Check(e.Key, e.Pos, d.probs)
	if step == nil {
		return
	}
	c.named, c.narrow = true, true
	c.body, c.interp, c.args = step.Check.Script, []string{defaultInterpreter}, rawOf(e.Val, d.parse)
	c.args.node = nil // nothing of it is hidden
}

// withChecks puts the checks of a project, or of a type, behind those of its type, or of the one that it extends.
func (p *Project) withChecks(of *projectType, probs *schema.Problems) []checkScript {
	for _, c := range p.checks {
		for _, other := range of.content.checks {
			if c.name == other.name {
				probs.Hintf(c.pos, "give it another name", "the type %q has a check %q already, in %s", of.name, c.name, other.pos)
			}
		}
	}
	return slices.Concat(of.content.checks, p.checks)
}

// scriptsOf are the scripts of checks.
func scriptsOf(checks []checkScript) []*nodeScript {
	out := make([]*nodeScript, len(checks))
	for i, c := range checks {
		out[i] = c.nodeScript
	}
	return out
}

// checks makes the checks of a project. all is what its nodes have in common: of that, values and limits are theirs, too.
func (r *resolver) checks(q *PlannedProject, list []checkScript, all *common) {
	if len(list) == 0 {
		return
	}
	own := *all // a copy
	own.env, own.volumes, own.ofEnv, own.ofVolumes = map[string]string{}, nil, nil, nil
	own.exec.network, own.exec.resolver = NetworkNone, ResolverHost
	for _, c := range list {
		if c.when != nil && q.values[c.when.name].isEmpty() {
			continue
		}
		mine := own // a copy
		if c.named {
			args := r.checkArgs(c, all.scope)
			if args == "" {
				continue // nothing is to be looked at
			}
			mine.env = map[string]string{argsVariable: args}
			mine.ofEnv = envComponents(mine.env)
		}
		n := &Node{Project: q, Path: c.path, Pos: c.pos, files: slices.Clone(c.files)}
		r.node(n, c.nodeScript, &mine)
		q.Checks = append(q.Checks, &Check{Node: n, User: c.user})
	}
}

// argsVariable is where a check of the library finds what it is to look at, one a line.
const argsVariable = "WITH_ARGS"

// checkArgs renders what a check is to look at.
func (r *resolver) checkArgs(c checkScript, s scope) string {
	text, items, err := c.args.render(s)
	if c.args.kind != schema.KindList {
		items = strings.Fields(text)
	}
	args := strings.Join(slices.DeleteFunc(items, func(s string) bool { return s == "" }), "\n")
	switch {
	case err != nil:
		r.probs.Addf(c.args.pos, "check %q: %v", c.name, err)
	case slices.ContainsFunc(items, func(s string) bool { return strings.ContainsFunc(s, unicode.IsControl) }):
		r.probs.Addf(c.args.pos, "check %q: what it looks at holds a control character", c.name)
	case len(args) > maxValue:
		r.probs.Addf(c.args.pos, "check %q: what it looks at has %d bytes: more than the %d that fit in an environment", c.name, len(args), maxValue)
	}
	return args
}
