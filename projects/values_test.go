package projects

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// family is a tree of three projects whose values depend on each other.
func family(t *testing.T) *Tree {
	t.Helper()
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName: `
stage3: {file: s.tar, arch: arm-64bit, subarch: raspi4}
values:
  hostname: "{{ .project.name }}"
  domain: example.org
  fqdn: "{{ .values.hostname }}.{{ .values.domain }}"
  jobs: 4
  debug: false
  version: 3.10
  date: 2022-06-16
  programs: {choices: [vim, tmux, git], many: true, default: [vim]}
  board: "{{ .arch }}-{{ .subarch }}"
`,
		"a/b/" + configName: `
values:
  hostname: "{{ .values.hostname }}-{{ .project.name | upper }}"
  programs: [vim, git]
scripts:
  - name: one
    run: "echo {{ .values.programs }} {{ join \",\" .values.programs }} {{ quote .values.programs }} {{ .values.fqdn }} {{ range .values.programs }}<{{ . }}>{{ end }}"
  - {name: two, run: true && echo, values: [jobs, debug, jobs]}
`,
		"a/b/c/" + configName: `
values:
  fqdn: "{{ .values.hostname | replace \"B\" \"x\" | lower }}.{{ default \"none\" .values.empty }}"
  empty: ""
`,
	}))
	if err != nil {
		t.Fatal(err)
	}
	return tree
}

func resolve(t *testing.T, tree *Tree, g Given) *Plan {
	t.Helper()
	plan, err := tree.Resolve(tree.projects, g)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

func TestValues(t *testing.T) {
	tree := family(t)
	file := func(text string) string {
		p := filepath.Join(t.TempDir(), "values.yaml")
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		name  string
		given Given
		want  map[string]string // "TAG NAME": text
	}{
		{"defaults", Given{}, map[string]string{
			"a hostname": "a", "a fqdn": "a.example.org", "a jobs": "4", "a debug": "false", "a version": "3.10", "a date": "2022-06-16",
			"a programs": "vim", "a board": "arm-64bit-raspi4",
			"a/b hostname": "a-B", "a/b fqdn": "a.example.org", "a/b programs": "vim git",
			"a/b/c hostname": "a-B", "a/b/c fqdn": "a-x.none", "a/b/c programs": "vim git",
		}},
		{"set reaches all that declare", Given{Set: []string{"hostname=x"}}, map[string]string{
			"a hostname": "x", "a fqdn": "x.example.org", "a/b hostname": "x", "a/b/c fqdn": "x.none"}},
		{"set for one", Given{Set: []string{"a/b:hostname=y", "hostname=x"}}, map[string]string{
			"a hostname": "x", "a/b hostname": "y", "a/b/c hostname": "y", "a/b fqdn": "x.example.org"}},
		{"set for one that inherits", Given{Set: []string{"a/b/c:jobs=9"}}, map[string]string{"a jobs": "4", "a/b jobs": "4", "a/b/c jobs": "9"}},
		{"the last set counts", Given{Set: []string{"jobs=1", "jobs=2"}}, map[string]string{"a jobs": "2"}},
		{"lists", Given{Set: []string{"a:programs=git, tmux"}}, map[string]string{"a programs": "git tmux", "a/b programs": "vim git"}},
		{"empty list", Given{Set: []string{"programs="}}, map[string]string{"a programs": "", "a/b programs": ""}},
		{"booleans", Given{Set: []string{"debug=Yes"}}, map[string]string{"a debug": "true"}},
		{"value with = and {{", Given{Set: []string{"domain={{a}}=b"}}, map[string]string{"a domain": "{{a}}=b", "a fqdn": "a.{{a}}=b"}},
		{"file", Given{Files: []string{file("hostname: f\nprograms: [tmux]\njobs: 0x10\n")}}, map[string]string{
			"a hostname": "f", "a programs": "tmux", "a/b programs": "tmux", "a jobs": "16"}},
		{"later file", Given{Files: []string{file("jobs: 5\ndomain: one"), file("jobs: 6")}}, map[string]string{"a jobs": "6", "a domain": "one"}},
		{"sections", Given{Files: []string{file("hostname: f\nprojects: {a/b: {hostname: g}, a/b/c/: {debug: true}}")}}, map[string]string{
			"a hostname": "f", "a/b hostname": "g", "a/b/c hostname": "g", "a/b/c debug": "true", "a/b debug": "false"}},
		{"set before file", Given{Set: []string{"jobs=1"}, Files: []string{file("jobs: 2\nprojects: {a: {jobs: 3}}")}}, map[string]string{"a jobs": "1"}},
		{"empty file", Given{Files: []string{file("# nothing\n")}}, map[string]string{"a jobs": "4"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			plan := resolve(t, tree, c.given)
			for key, want := range c.want {
				tag, name, _ := strings.Cut(key, " ")
				if got := plan.find(tag).values[name]; got.String() != want {
					t.Errorf("%s = %q, want %q", key, got, want)
				}
			}
		})
	}

	plan := resolve(t, tree, Given{})
	one, two := plan.find("a/b").Nodes[0], plan.find("a/b").Nodes[1]
	if got, want := string(one.body), "echo vim git vim,git 'vim' 'git' a.example.org <vim><git>"; got != want {
		t.Errorf("body %q, want %q", got, want)
	}
	var seen []string
	for _, v := range two.values {
		seen = append(seen, v.name+"="+v.value.String())
	}
	if got := strings.Join(seen, " "); got != "debug=false jobs=4" {
		t.Errorf("narrowed values: %s", got)
	}
	env := strings.Join(one.Environ(), "\n")
	for _, want := range []string{"XTOO_PROGRAMS=vim git", "XTOO_DEBUG=false", "XTOO_JOBS=4", "XTOO_HOSTNAME=a-B", "XTOO_ARCH=arm-64bit", "XTOO_SUBARCH=raspi4",
		"XTOO_PLATFORM=linux/arm64/v8", "CHOST=aarch64-unknown-linux-gnu", "XTOO_PROJECT=b", "XTOO_TAG=a/b", "XTOO_TYPE=", "XTOO_NODE=one",
		"XTOO_FILES=/run/xtoo/files", "XTOO_SECRETS=/run/xtoo/secrets"} {
		if !strings.Contains("\n"+env+"\n", "\n"+want+"\n") {
			t.Errorf("environment has no %s:\n%s", want, env)
		}
	}
	if strings.Contains(strings.Join(two.Environ(), "\n"), "XTOO_HOSTNAME") {
		t.Error("a node sees a value it does not name")
	}
}

func TestWrongValues(t *testing.T) {
	tree := family(t)
	file := func(text string) string {
		p := filepath.Join(t.TempDir(), "v.yaml")
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	for _, c := range []struct {
		name  string
		given Given
		want  []string
	}{
		{"unknown", Given{Set: []string{"hostnam=x"}}, []string{`--set hostnam: no project declares a value "hostnam": did you mean "hostname"?`}},
		{"nothing near", Given{Set: []string{"zzzzzzzz=x"}}, []string{`a value "zzzzzzzz" (values are board,`}},
		{"unknown project", Given{Set: []string{"a/c:jobs=1"}}, []string{`--set a/c:jobs: there is no project "a/c": did you mean "a/b"?`}},
		{"not visible there", Given{Set: []string{"a:empty=1"}}, []string{`--set a:empty: project "a" does not have a value "empty"`}},
		{"no equals sign", Given{Set: []string{"jobs"}}, []string{`--set needs NAME=VALUE`}},
		{"type", Given{Set: []string{"jobs=many", "debug=maybe"}}, []string{`value "debug": it must be true or false, found "maybe"`, `value "jobs": it must be a whole number, found "many" (it is declared in `}},
		{"choice", Given{Set: []string{"programs=vi"}}, []string{`value "programs": "vi" is none of the choices: vim, tmux, git`}},
		{"file", Given{Files: []string{file("hostnam: x\njobs: [1]\ndebug: {a: b}\nprojects: 3\n")}}, []string{
			`v.yaml:1:1: values: no project declares a value "hostnam"`, `v.yaml:3:8: "debug" must be text, a number`, `v.yaml:4:11: "projects" must be a mapping`}},
		{"file types", Given{Files: []string{file("jobs: [1]\nhostname: ~\n")}}, []string{`v.yaml:2:11: "hostname" is empty`}},
		{"section", Given{Files: []string{file("projects: {x: {jobs: 1}, a: {nope: 2}, b: 3}")}}, []string{
			`v.yaml:1:16: values: there is no project "x"`, `v.yaml:1:30: values: project "a" does not have a value "nope"`, `v.yaml:1:43: "b" must be a mapping`}},
		{"no file", Given{Files: []string{"/nonexistent/v.yaml"}}, []string{`/nonexistent/v.yaml: cannot read the values: no such file`}},
		{"no yaml", Given{Files: []string{file("{")}}, []string{`v.yaml:`}},
		{"too long", Given{Set: []string{"hostname=" + strings.Repeat("x", maxValue+1)}}, []string{`bytes: more than`}},
		{"nul", Given{Set: []string{"hostname=a\x00b"}}, []string{`it holds a NUL character`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := tree.Resolve(tree.projects, c.given)
			if err == nil {
				t.Fatal("resolves")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("want %s\nhave %v", want, err)
				}
			}
		})
	}
}

func TestMissing(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName: `
from: scratch
values:
  pw: {prompt: Root password, secret: true, confirm: true}
  disk:
  pick: {choices: [x, y], many: true}
  device: "/dev/{{ .values.disk }}"
`,
		"a/b/" + configName: "values: {disk: {prompt: Which disk}}\nscripts: [{name: x, run: 'echo {{ .values.device }}'}]",
		"z/" + configName:   "from: scratch\nvalues: {other: }",
	}))
	if err != nil {
		t.Fatal(err)
	}
	b, err := tree.Select([]string{"a/b"}, "/")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Resolve(b, Given{})
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	var got []string
	for _, m := range missing.list {
		got = append(got, fmt.Sprintf("%s:%s|%s|%v|%v|%v|%v|%d", m.Project, m.Name, m.Prompt, m.Choices, m.Many, m.Secret, m.Confirm, m.pos.Line))
	}
	want := "a:pw|Root password|[]|false|true|true|4 a:disk|disk|[]|false|false|false|5 a:pick|pick|[x y]|true|false|false|6"
	if strings.Join(got, " ") != want {
		t.Errorf("have %q\nwant %q", strings.Join(got, " "), want)
	}
	for _, want := range []string{`value "disk" of project "a" is not given: pass --set a:disk=…`, `(Root password): pass --secret a:pw=file:PATH`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %s", err, want)
		}
	}
	for _, q := range missing.Questions() {
		for text, right := range map[string]bool{"x": q.Name != "pw", "y, x": true, "zeus": q.Name != "pick", "\x00": false} {
			if err := q.Check(text); (err == nil) != right {
				t.Errorf("answer %q to %s: %v", text, q.Name, err)
			}
		}
	}
	// What is asked for becomes what is given.
	plan, err := tree.Resolve(b, Given{Set: []string{"a:pw=geheim, sehr", "a:disk=sda", "a:pick=y,x"}})
	if err != nil {
		t.Fatal(err)
	}
	if len(plan.Projects) != 2 || plan.Projects[0].Selected || !plan.Projects[1].Selected || plan.Projects[1].Parent != plan.Projects[0] {
		t.Errorf("plan: %+v", plan.Projects)
	}
	node := plan.find("a/b").Nodes[0]
	if string(node.body) != "echo /dev/sda" {
		t.Errorf("body %q", node.body)
	}
	if s := node.Secrets()["pw"]; s == nil || s.Reveal() != "geheim, sehr" {
		t.Errorf("secret %v", s)
	}
}

// TestSecrets: no way of printing a plan shows a secret.
func TestSecrets(t *testing.T) {
	const word = "swordfish"
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName: `
from: scratch
values:
  pw: {secret: true}
  derived: {secret: true, default: "{{ .values.pw }}!"}
scripts: [{name: x, run: y}]
`,
		"a/b/" + configName: "values: {pw: {prompt: Again}}\nscripts: [{name: x, run: y}]",
	}))
	if err != nil {
		t.Fatal(err)
	}
	plan := resolve(t, tree, Given{Set: []string{"pw=" + word}})
	for _, p := range plan.Projects {
		n := p.Nodes[0]
		if got := n.Secrets()["derived"].Reveal(); got != word+"!" {
			t.Errorf("derived secret %q", got)
		}
		inputs, err := n.Inputs(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		in := inputs.Components
		secrets := 0
		for _, c := range in {
			if c.Secret != nil {
				secrets++
				if c.Digest != "" || !strings.HasPrefix(c.Name, "secret ") {
					t.Errorf("component %v", c)
				}
			}
		}
		if secrets != 2 {
			t.Errorf("%d secrets among the inputs", secrets)
		}
		v := p.values["pw"]
		shown := fmt.Sprintf("%v %+v %#v %s %q %v %+v %#v %v %v", v, v, v, v, v, in, in, in, n.Environ(), n.Secrets())
		shown += fmt.Sprintf("%v %+v %#v %s %d %x", *v.secret, *v.secret, *v.secret, v.secret, v.secret, v.secret)
		shown += fmt.Sprintf("%v %+v %#v", p.values, n.values, n.values)
		for _, x := range []any{v, v.secret, *v.secret, in, n.values} {
			b, err := json.Marshal(x)
			if err != nil {
				t.Fatal(err)
			}
			shown += string(b)
		}
		if strings.Contains(shown, word) || strings.Contains(shown, fmt.Sprintf("%x", word)) {
			t.Errorf("a secret shows: %s", shown)
		}
	}
	// Nor does an error.
	tree, err = load(t, "from: scratch\nvalues: {pw: {secret: true, type: int}}")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tree.Resolve(tree.projects, Given{Set: []string{"pw=" + word + "\x00", "nope=" + word, "=" + word}}); err == nil || strings.Contains(err.Error(), word) {
		t.Error(err)
	}
	// A default that stands in the clear is warned of, and not in what is shown of the configuration.
	tree, err = loadDir(workdir(t, map[string]string{
		"a/" + configName:   "# top\nfrom: scratch\nvalues:\n  pw: {secret: true, default: &x swordfish} # why\n  # list\n  b: {secret: true, default: *x}\n  c: {secret: true}\n  d: {secret: true, default: ''}\n",
		"a/b/" + configName: "values: {c: swordfish}",
		"a/c/" + configName: "values: {e: {secret: true, default: 'sword{{ \"\" }}fish'}} # d",
		"a/d/" + configName: "values: {e: {default: 'public'}} # d",
	}))
	if err != nil || len(tree.Warnings) != 3 {
		t.Fatal(tree.Warnings, err)
	}
	for _, p := range tree.projects {
		if strings.Contains(string(p.Source), "fish") || p.name != "d" && !strings.Contains(string(p.Source), hidden) {
			t.Errorf("%s shows: %s", p.Tag, p.Source)
		}
		if err := decoderSays(string(p.Source)); err != nil {
			t.Errorf("%s: %v\n%s", p.Tag, err, p.Source)
		}
	}
	if got := string(tree.find("a/d").Source); got != "values: {e: {default: 'public'}} # d" {
		t.Errorf("a source without secrets was changed: %s", got)
	}
	if got := tree.find("a").values[0].def.text.src; got != word {
		t.Errorf("the default itself became %q", got)
	}
}

// TestInheritedDeclarations: a child changes what it names, and keeps the rest.
func TestInheritedDeclarations(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName:   "from: scratch\nvalues: {p: {choices: [x, y, z], many: true, default: [x, y]}, n: 3, b: true}",
		"a/b/" + configName: "values: {p: y z, n: {prompt: How many}}",
		"a/c/" + configName: "values: {p: {choices: [x]}}",
		"a/d/" + configName: "values: {n: text now}",
	}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Resolve(tree.projects, Given{})
	if err == nil || !strings.Contains(err.Error(), `value "p", inherited from "a": "y" is none of the choices: x`) {
		t.Errorf("narrower choices: %v", err)
	}
	some, err := tree.Select([]string{"a/b", "a/d"}, "/")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := tree.Resolve(some, Given{})
	if err != nil {
		t.Fatal(err)
	}
	b := plan.find("a/b")
	if v := b.values["p"]; v.typ != typeList || v.String() != "y z" {
		t.Errorf("p: %v %v", v.typ, v)
	}
	if v := b.values["n"]; v.typ != typeInt || v.String() != "3" {
		t.Errorf("n: %v %v", v.typ, v)
	}
	if v := b.values["b"]; v.typ != typeBool || v.String() != "true" {
		t.Errorf("b: %v %v", v.typ, v)
	}
	if v := plan.find("a/d").values["n"]; v.typ != typeString {
		t.Errorf("n of d: %v %v", v.typ, v)
	}
}
