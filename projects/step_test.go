package projects

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"xtoo/projects/library"
	"xtoo/projects/schema"
)

// tool is a step of the user's, with every type of parameter.
var tool = map[string]string{
	"steps/tool/step.yaml": `description: Does.
group: files
sh: [root]
parameters:
  words: {type: list, default: ["{{ .project.name }}"]}
  pw: {type: secret}
  source: {type: path}
  jobs: {type: int, default: "{{ .values.jobs }}"}
  users: {type: records, fields: {name: {required: true}, groups: {}}}
`,
	"steps/tool/run.sh":     "echo \"$WITH_WORDS\"\n",
	"steps/fetch/step.yaml": "description: Fetches.\ngroup: files\nnetwork: host\n",
	"steps/fetch/run.sh":    "true\n",
}

// withTool makes a work directory with the step and files.
func withTool(t testing.TB, files map[string]string) string {
	t.Helper()
	all := maps.Clone(tool)
	maps.Copy(all, files)
	return workdir(t, all)
}

const toolValues = "from: scratch\nvalues: {jobs: 4, names: [a, b], pw: {default: hidden-text, secret: true}}\n"

func resolveDir(t testing.TB, dir string) (*Plan, error) {
	t.Helper()
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	return tree.Resolve(tree.projects, Given{})
}

func TestStepNode(t *testing.T) {
	dir := withTool(t, map[string]string{
		"p/.xtoo-config.yaml": toolValues + `env: {LANG: C}
scripts:
- {name: a, step: tool}
- {name: b, step: tool, with: {words: "{{ .values.names }} c", pw: pw, source: "conf/{{ .project.name }}", users: [{name: u, groups: [x, "{{ .values.jobs }}"]}]}, files: [conf/p/sub], network: host}
- {name: c, step: fetch, values: [names]}
`, "p/conf/p/sub/x": "x", "p/conf/q": "q",
	})
	plan, err := resolveDir(t, dir)
	if err != nil {
		t.Fatal(err)
	}
	nodes := plan.find("p").Nodes
	with := func(n *Node) []string {
		return slices.DeleteFunc(n.Environ(), func(e string) bool {
			return !strings.HasPrefix(e, "WITH_") && !strings.HasPrefix(e, "XTOO_N") && !strings.HasPrefix(e, "XTOO_J")
		})
	}
	for i, want := range [][]string{
		{"WITH_JOBS=4", "WITH_PW=", "WITH_SOURCE=", "WITH_USERS=", "WITH_WORDS=p", "XTOO_NODE=a"},
		{"WITH_JOBS=4", "WITH_PW=/run/xtoo/secrets/pw", "WITH_SOURCE=/run/xtoo/files/conf/p", "WITH_USERS=u\x1fx,4", "WITH_WORDS=a\nb\nc", "XTOO_NODE=b"},
		{"XTOO_NAMES=a b", "XTOO_NODE=c"},
	} {
		if got := with(nodes[i]); !slices.Equal(got, want) {
			t.Errorf("node %s sees %q\nwant %q", nodes[i].Path, got, want)
		}
	}
	if s := nodes[0].Secrets(); len(s) != 0 {
		t.Errorf("a step that names no secret sees %d", len(s))
	}
	if s := nodes[1].Secrets(); len(s) != 1 || s["pw"].Reveal() != "hidden-text" {
		t.Errorf("a step that names a secret sees %v", s)
	}
	for i, want := range []Network{NetworkNone, NetworkHost, NetworkHost} {
		if nodes[i].Network != want {
			t.Errorf("node %s has the network %s, want %s", nodes[i].Path, nodes[i].Network, want)
		}
	}
	if body := string(nodes[0].body); !strings.HasPrefix(body, "#!/bin/sh\nset -eu\n") || !strings.Contains(body, "\ndie() {") || !strings.HasSuffix(body, "\necho \"$WITH_WORDS\"\n") {
		t.Errorf("the script is\n%s", body)
	}
	in, err := nodes[1].Inputs(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, c := range in.Components {
		names = append(names, c.Name)
	}
	want := []string{"arch", "env LANG", "env WITH_JOBS", "env WITH_PW", "env WITH_SOURCE", "env WITH_USERS", "env WITH_WORDS", "file conf/p", "interpreter",
		"network", "node", "project", "script", "secret pw"}
	if !slices.Equal(names, want) {
		t.Errorf("made of %q\nwant    %q", names, want)
	}
	if len(in.Files) != 3 || in.Files[2].Path != "conf/p/sub/x" {
		t.Errorf("files %+v", in.Files)
	}
}

// TestStepKey: the key depends on what is given to the step and on nothing else of the project.
func TestStepKey(t *testing.T) {
	key := func(values, node string) string {
		plan, err := resolveDir(t, withTool(t, map[string]string{"p/.xtoo-config.yaml": "from: scratch\nvalues: " + values + "\nscripts:\n- " + node + "\n", "p/f": "f"}))
		if err != nil {
			t.Fatal(err)
		}
		in, err := plan.find("p").Nodes[0].Inputs(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, c := range in.Components {
			b.WriteString(c.Name + " " + string(c.Digest) + "\n")
		}
		return b.String()
	}
	same := key("{jobs: 4}", "{name: a, step: tool, with: {words: [x]}}")
	for _, node := range []string{"{name: a, step: tool, with: {words: x}}", "{name: a, step: tool, with: {words: '{{ .values.w }}', jobs: 4}}", "{name: a, step: tool, with: {words: [x, '{{ .values.none }}']}}"} {
		if key("{jobs: 4, w: x, none: '', more: z}", node) != same {
			t.Errorf("another key: %s", node)
		}
	}
	for _, node := range []string{"{name: a, step: tool, with: {words: [x, y]}}", "{name: a, step: tool, with: {words: x, source: f}}", "{name: a, step: tool, with: {words: x}, env: {A: b}}",
		"{name: a, step: tool, with: {words: x}, network: host}", "{name: a, step: tool, with: {words: x, jobs: 5}}"} {
		if key("{jobs: 4}", node) == same {
			t.Errorf("the same key: %s", node)
		}
	}
}

func TestWrongStepNodes(t *testing.T) {
	for _, c := range []struct{ name, config, want string }{
		{"value of a default", "from: scratch\nscripts: [{name: a, step: tool}]", `steps/tool/step.yaml:8:30: template: there is no value "jobs"`},
		{"template syntax", toolValues + "scripts: [{name: a, step: tool, with: {words: '{{ .values.x'}}]", `p/.xtoo-config.yaml:3:47: template: unclosed action`},
		{"template of a secret", toolValues + "scripts: [{name: a, step: tool, with: {words: ['{{ .values.pw }}']}}]", `:3:48: template: value "pw" is secret`},
		{"no such secret", toolValues + "scripts: [{name: a, step: tool, with: {pw: wp}}]", `:3:44: there is no value "wp": did you mean "pw"?`},
		{"not secret", toolValues + "scripts: [{name: a, step: tool, with: {pw: jobs}}]", `:3:44: parameter "pw" of step "tool": value "jobs" is no secret`},
		{"no such path", toolValues + "scripts: [{name: a, step: tool, with: {source: conf}}]", `:3:48: there is no file or directory "conf"`},
		{"path out", toolValues + "scripts: [{name: a, step: tool, with: {source: ../x}}]", `:3:48: "../x" leads out of the configuration's directory`},
		{"everything", toolValues + "scripts: [{name: a, step: tool, with: {source: .}}]", `:3:48: "." is the project's whole directory`},
		{"rendered path", toolValues + "scripts: [{name: a, step: tool, with: {source: 'x{{ .values.jobs }}'}}]", `:3:48: there is no file or directory "x4"`},
		{"rendered number", toolValues + "scripts: [{name: a, step: tool, with: {jobs: '{{ .values.names }}'}}]", `:3:46: parameter "jobs" of step "tool": it must be a whole number, found "a b"`},
		{"rendered field", toolValues + "scripts: [{name: a, step: tool, with: {users: [{name: '{{ \"\" }}'}]}}]", `"name" is empty, and must not be`},
		{"rendered lines", toolValues + "scripts: [{name: a, step: tool, with: {words: ['{{ print \"a\\nb\" }}']}}]", `has several lines`},
		{"too long", toolValues + "scripts: [{name: a, step: tool, with: {words: ['{{ printf \"%0200000d\" 1 }}']}}]", `:3:47: parameter "words" of step "tool": it has 200000 bytes: more than`},
		{"with of a script", toolValues + "scripts: [{name: a, run: x, with: {words: y}}]", `:3:29: "with" has the parameters of a step, and there is no "step"`},
		{"unknown", toolValues + "scripts: [{name: a, step: tol}]", `:3:27: there is no step "tol": did you mean "tool"?`},
	} {
		t.Run(c.name, func(t *testing.T) {
			tree, err := loadDir(withTool(t, map[string]string{"p/.xtoo-config.yaml": c.config + "\n"}))
			if err == nil {
				_, err = tree.Resolve(tree.projects, Given{})
			}
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v\nwant %s", err, c.want)
			}
		})
	}
}

// TestWrongUserStep: what is wrong with a step is said where it stands, once, however often it is used.
func TestWrongUserStep(t *testing.T) {
	_, err := loadDir(workdir(t, map[string]string{
		"steps/bad/step.yaml": "description: x\ngroup: files\nparameters: {a: {typ: int}}\n", "steps/bad/run.sh": "",
		"p/.xtoo-config.yaml": "from: scratch\nscripts: [{name: a, step: bad}, {name: b, step: bad, with: {a: 1}}]\n",
		"q/.xtoo-config.yaml": "from: scratch\nscripts: [{name: a, step: bad}]\n",
	}))
	got := problemsOf(t, err)
	if len(got) != 2 || !strings.Contains(err.Error(), `steps/bad/step.yaml:3:18: unknown key "typ": did you mean "type"?`) {
		t.Errorf("%q", got)
	}
}

// TestShippedExamples: the examples of the steps that ship are right.
func TestShippedExamples(t *testing.T) {
	var probs schema.Problems
	for _, s := range library.Open().Steps(&probs) {
		files := map[string]string{}
		values := "values: {x_: ''"
		for _, p := range s.Doc().Parameters {
			name := strings.Trim(p.Example, "\"'")
			switch {
			case name == "":
			case p.Type == library.TypeSecret:
				values += ", " + name + ": {secret: true, prompt: x}"
			case p.Type == library.TypePath:
				files["p/"+name+"/file"] = "x"
			}
		}
		for _, use := range strings.Split(s.Doc().Example, ".values.")[1:] {
			name := use[:strings.IndexAny(use+" ", " }|)")]
			if !strings.Contains(values, ", "+name+":") {
				values += ", " + name + ": x"
			}
		}
		files["p/.xtoo-config.yaml"] = "from: scratch\n" + values + "}\nscripts:\n" + s.Doc().Example
		if _, err := loadDir(workdir(t, files)); err != nil {
			t.Errorf("%v\n%s", err, files["p/.xtoo-config.yaml"])
		}
	}
	if err := probs.Err(); err != nil {
		t.Error(err)
	}
}
