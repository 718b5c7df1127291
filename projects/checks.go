package projects

import (
	"slices"

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

// checkScript is one check as a configuration has it.
type checkScript struct {
	*Script
	user *string
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
	network.Default = string(NetworkNone)
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
		OneOf: [][]string{{"run", "script"}},
		Fields: []*schema.Field{
			name, run, script,
			field("values", "The values that the check sees. Only when one of these changes is it executed again.", "all values of the project"),
			field("files", "Files and directories beside the configuration that the check can read below `$XTOO_FILES`, under the same paths. When one changes it is executed again.", ""),
			env, network,
			field("timeout", "How long the check may take; then it is ended, and has failed.", "the project's, else none"),
			{Key: "user", Shape: &schema.Shape{What: "text (USER or USER:GROUP)", Literal: true, Text: &schema.Text{Empty: true}}, Example: `"root"`,
				Doc: "User (and group) that the check is executed as; empty means root.", DefText: "the image's"},
		},
	}}
}

// checks reads `checks` of a project or of a type.
func (d *decoder) checks(v *schema.Value) []checkScript {
	if v == nil {
		return nil
	}
	var out []checkScript
	for i, s := range d.scripts(v, "") {
		c := checkScript{Script: s}
		if user := v.Items[i].Get("user"); user != nil {
			text := user.Text
			c.user = &text
		}
		out = append(out, c)
	}
	return out
}

// scriptsOf are the scripts of checks.
func scriptsOf(checks []checkScript) []*Script {
	out := make([]*Script, len(checks))
	for i, c := range checks {
		out[i] = c.Script
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
		n := &Node{Project: q, Path: c.path, Pos: c.pos, files: slices.Clone(c.files)}
		r.node(n, c.Script, &own)
		q.Checks = append(q.Checks, &Check{Node: n, User: c.user})
	}
}
