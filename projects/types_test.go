package projects

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"testing"

	"xtoo/projects/schema"
	"xtoo/qemu"
)

const (
	armRoot = "stage3: {file: s.tar, arch: arm-64bit, subarch: raspi4}\n"
	x86Root = "stage3: {file: s.tar, arch: x86-64bit, subarch: generic_64}\n"
	anyRoot = "stage3: {file: s.tar}\n"
)

// typeTree is a work directory of types (by name) and projects (by tag).
func typeTree(t *testing.T, types, configs map[string]string) string {
	t.Helper()
	files := map[string]string{}
	for name, text := range types {
		files["types/"+name+".yaml"] = text
	}
	for tag, text := range configs {
		files[tag+"/"+configName] = text
	}
	return workdir(t, files)
}

// TestWrongTypes: what is wrong with a type, or with the project that has it, is said once, where it stands.
func TestWrongTypes(t *testing.T) {
	board := map[string]string{
		"base":  "description: b\n",
		"tgt":   "description: t\nparents: [tgt, none]\nroot: true\n",
		"mytgt": "description: m\nextends: tgt\n",
		"pi":    "description: p\nparents: [tgt]\narchitectures: [arm-32bit/raspi*, arm-64bit/raspi*]\n",
	}
	with := func(name, text string) map[string]string {
		all := map[string]string{name: text}
		for k, v := range board {
			if k != name {
				all[k] = v
			}
		}
		return all
	}
	for _, c := range []struct {
		name    string
		types   map[string]string
		configs map[string]string
		want    []string
	}{
		{"unknown", board, map[string]string{"a": armRoot + "type: mytgtt\n"}, []string{`a/` + configName + `:2:7: there is no type "mytgtt": did you mean "mytgt"?`}},
		{"unknown twice", board, map[string]string{"a": armRoot + "type: zzzzzz\n", "a/b": "type: zzzzzz"},
			[]string{`a/` + configName + `:2:7: there is no type "zzzzzz"`, `a/b/` + configName + `:1:7: there is no type "zzzzzz"`}},
		{"no parent at all", with("x", "description: x\nparents: []\n"), map[string]string{"a": armRoot + "type: x\n"},
			[]string{`types/x.yaml:2:10: no project could be of this type: no type may be its parent, and it cannot be a root | leave it out for "[any, none]", or say "root: true"`}},
		{"itself", with("x", "description: x\nextends: x\n"), map[string]string{"a": armRoot + "type: x\n"}, []string{`types/x.yaml:2:10: the type "x" extends itself`}},
		{"wrong parent", board, map[string]string{"a": armRoot + "type: base\n", "b": armRoot + "type: mytgt\n", "c": x86Root + "type: tgt", "a/p": "type: pi\n"},
			[]string{`a/p/` + configName + `:1:7: a pi's parent must be of type tgt; a is a base | projects that would do: b`}},
		{"parent without a type", board, map[string]string{"a": armRoot, "a/p": "type: pi\n"},
			[]string{`a/p/` + configName + `:1:7: a pi's parent must be of type tgt; a has no type | there is no such project yet`}},
		{"no root", board, map[string]string{"p": armRoot + "type: pi\n"}, []string{`p/` + configName + `:2:7: a pi cannot be a root: it needs a parent of type tgt`}},
		{"architecture", board, map[string]string{"a": x86Root + "type: tgt\n", "a/p": "type: pi\n"},
			[]string{`a/p/` + configName + `:1:7: pi is for arm-32bit/raspi*, arm-64bit/raspi*; this tree is x86-64bit/generic_64`}},
		{"name taken", with("n", "description: n\nscripts:\n- {name: base, run: a}\n"), map[string]string{"a": armRoot + "type: n\nscripts:\n- {name: base, run: b}\n"},
			[]string{`a/` + configName + `:4:3: the type "n" has a script "base" already, in `}},
		{"own twice", with("n", "description: n\nscripts:\n- {own: true}\n- {own: true}\n- {name: x, own: true}\n"), map[string]string{"a": armRoot + "type: n\n"},
			[]string{`types/n.yaml:4:3: the place of the project's own nodes is there already`, `types/n.yaml:5:3: {own: true} stands alone`, `types/n.yaml:5:3: the place`}},
		{"node without a name", with("n", "description: n\nscripts:\n- {run: x}\n"), map[string]string{"a": armRoot + "type: n\n"}, []string{`types/n.yaml:3:3: the script needs a "name"`}},
		{"what only projects have", with("n", "description: n\nstage3: x\n"), map[string]string{"a": armRoot + "type: n\n"}, []string{`types/n.yaml:2:1: unknown key "stage3"`}},
		{"unknown parent", with("n", "description: n\nroot: true\nparents: [tgtt]\n"), map[string]string{"a": armRoot + "type: n\n"}, []string{`types/n.yaml:3:11: there is no type "tgtt": did you mean "tgt"?`}},
		{"unknown architecture", with("n", "description: n\narchitectures: [arm-65bit]\n"), map[string]string{"a": armRoot + "type: n\n"}, []string{`types/n.yaml:2:17: `}},
		{"script that is missing", with("n", "description: n\nscripts:\n- {name: x, script: x.sh}\n"), map[string]string{"a": armRoot + "type: n\n"}, []string{`types/n.yaml:3:21: there is no script "x.sh"`}},
		{"value that is missing", with("n", "description: n\nscripts:\n- {name: x, run: \"{{ .values.v }}\"}\n- {name: y, run: y, when: w}\n"), map[string]string{"a": armRoot + "type: n\n"},
			[]string{`types/n.yaml:3:18: template: there is no value "v"`, `types/n.yaml:4:27: there is no value "w"`}},
		{"empty", with("n", ""), map[string]string{"a": armRoot + "type: n\n"}, []string{`types/n.yaml:1:1: the type "n" says nothing`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			dir := typeTree(t, c.types, c.configs)
			_, err := loadDir(dir)
			var list *schema.Errors
			if !errors.As(err, &list) {
				t.Fatalf("want an *schema.Errors, have %v", err)
			}
			var have []string
			for _, p := range list.List {
				have = append(have, strings.TrimPrefix(p.Error(), dir+"/")+" | "+p.Hint)
			}
			ok := len(have) == len(c.want)
			for i := 0; ok && i < len(have); i++ {
				ok = strings.HasPrefix(have[i], c.want[i])
			}
			if !ok {
				t.Errorf("have\n%s\nwant\n%s", strings.Join(have, "\n"), strings.Join(c.want, "\n"))
			}
		})
	}
}

// TestTypesInACircle: it is said at the link that closes it.
func TestTypesInACircle(t *testing.T) {
	dir := typeTree(t, map[string]string{"x": "description: x\nextends: y\n", "y": "description: y\nextends: z\n", "z": "description: z\nextends: x\n"},
		map[string]string{"a": armRoot + "type: y\n", "b": armRoot + "type: x\n"})
	_, err := loadDir(dir)
	if err == nil || !strings.Contains(err.Error(), "x.yaml:2:10: types extend each other in a circle: y -> z -> x -> y") || strings.Count(err.Error(), "circle") != 1 {
		t.Fatal(err)
	}
}

// TestType: what a project has of its type, and of those that this extends; what is its own goes before.
func TestType(t *testing.T) {
	dir := workdir(t, map[string]string{
		"types/base.yaml": `
description: base
network: none
values: {color: {default: red, choices: [red, blue]}, extra: {default: []}, name: {default: "{{ .project.name }}"}}
env: {A: base, B: base, C: "{{ .values.color }}"}
scripts:
- {name: first, script: first.sh, files: [data]}
- {own: true}
- {name: extra, when: extra, run: "echo {{ .values.extra }}", scripts: [{name: below, run: below}]}
- {name: last, run: last, network: host}
image: {entrypoint: [/sbin/init], cmd: [x], env: {I: base}, user: nobody}
`,
		"types/base/first.sh": "#!/bin/sh\necho first\n",
		"types/base/data":     "data",
		"types/more.yaml": `
description: more
extends: base
values: {color: blue}
env: {B: more}
scripts:
- {name: more, run: more}
image: {labels: {l: more}}
outputs: {sif: "{{ .values.name }}.sif"}
`,
		"r/" + configName:   armRoot + "type: more\nenv: {A: mine}\nscripts: [{name: mine, run: mine}]\nimage: {entrypoint: [/bin/mine]}\n",
		"r/c/" + configName: "type: base\nvalues: {color: blue, extra: [a, b]}\n",
		"r/d/" + configName: "scripts: [{name: mine, run: mine}]\n",
	})
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(tree.Warnings) > 0 {
		t.Error(tree.Warnings)
	}
	plan := resolve(t, tree, Given{})
	for tag, want := range map[string]string{
		"r":   "first more mine last A=mine B=more C=blue",
		"r/c": "first extra/below extra last A=base B=base C=blue",
		"r/d": "mine A=mine B=more C=blue",
	} {
		var have []string
		q := plan.find(tag)
		for _, n := range q.Nodes {
			have = append(have, n.Path)
		}
		last := q.Nodes[len(q.Nodes)-1]
		have = append(have, slices.DeleteFunc(last.Environ(), func(e string) bool { return len(e) < 2 || e[1] != '=' })...)
		if strings.Join(have, " ") != want {
			t.Errorf("%s: have %s, want %s", tag, have, want)
		}
	}
	r := plan.find("r")
	if img := r.Image; fmt.Sprintf("%v %v %v %v %s", img.Entrypoint, img.Cmd == nil, img.Env, img.Labels, *img.User) != "[/bin/mine] true map[I:base] map[l:more] nobody" {
		t.Errorf("%+v", img)
	}
	if !strings.HasSuffix(r.Outputs[OutputSIF], "/r/r.sif") {
		t.Error(r.Outputs[OutputSIF])
	}
	if img := plan.find("r/c").Image; fmt.Sprint(img.Entrypoint, img.Cmd) != "[/sbin/init] [x]" {
		t.Errorf("%+v", img)
	}
	in, err := r.Nodes[0].Inputs(t.Context(), nil)
	if err != nil || len(in.Files) != 1 || in.Files[0].Path != "data" || string(r.Nodes[0].body) != "#!/bin/sh\necho first\n" {
		t.Errorf("%+v %v %q", in, err, r.Nodes[0].body)
	}
	if pos := r.Nodes[0].Pos.String(); !strings.HasSuffix(pos, "types/base.yaml:7:3") {
		t.Error(pos)
	}
	if r.Nodes[0].Network != NetworkNone || r.Nodes[3].Network != NetworkHost {
		t.Error(r.Nodes[0].Network, r.Nodes[3].Network)
	}
}

// TestTypeOfLateArchitecture: what no configuration declares is looked at as soon as it is known.
func TestTypeOfLateArchitecture(t *testing.T) {
	dir := typeTree(t, map[string]string{"pi": "description: p\narchitectures: [arm-64bit/raspi*]\n", "here": "description: h\narchitectures: [native]\n"},
		map[string]string{"a": anyRoot + "type: pi\n", "b": anyRoot + "type: here\n"})
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Check(tree.projects, Given{}); err != nil {
		t.Error(err)
	}
	riscv, err := qemu.Lookup("riscv64", "")
	if err != nil {
		t.Fatal(err)
	}
	given := Given{Arch: map[*Base]qemu.Arch{}}
	for _, p := range tree.projects {
		given.Arch[p.Bases[0]] = riscv
	}
	_, err = tree.Resolve(tree.projects, given)
	if err == nil || !strings.Contains(err.Error(), "a/"+configName+":2:7: pi is for arm-64bit/raspi*; this tree is riscv-64bit/") ||
		!strings.Contains(err.Error(), "b/"+configName+":2:7: here is for this machine's own (") {
		t.Error(err)
	}
	for _, p := range tree.projects {
		given.Arch[p.Bases[0]] = qemu.Host()
	}
	if _, err := tree.Resolve(tree.projects[1:], given); err != nil {
		t.Error(err)
	}
}

// TestTypePlaces: a type in the work directory goes before the one that ships.
func TestTypePlaces(t *testing.T) {
	dir := typeTree(t, map[string]string{"host": "description: mine\nvalues: {mine: 1}\n"}, map[string]string{"a": armRoot + "type: host\n"})
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if tree.projects[0].visible["mine"] == nil {
		t.Error("the type that ships was taken")
	}
	if _, err := loadDir(typeTree(t, nil, map[string]string{"a": armRoot + "type: nothing\n"})); !errors.Is(err, fs.ErrNotExist) && err == nil {
		t.Error(err)
	}
}

// TestTypeExclude: what types exclude goes before what a project excludes itself, of which alone it is said that it matches nothing.
func TestTypeExclude(t *testing.T) {
	tree, err := loadDir(typeTree(t,
		map[string]string{"base": "description: b\nexclude: [/run/*]\n", "over": "description: o\nextends: base\nexclude: [/tmp/*]\n"},
		map[string]string{"a": armRoot + "type: over\nexclude: [/usr/src]\n", "b": "from: scratch\ntype: over\n", "a/c": "type: over\n"}))
	if err != nil {
		t.Fatal(err)
	}
	a := tree.find("a")
	if got := strings.Join(a.Exclude, " "); got != "/run/* /tmp/* /usr/src" {
		t.Error(got)
	}
	if a.ExpectsExcluded("/run/*") || a.ExpectsExcluded("/tmp/*") || !a.ExpectsExcluded("/usr/src") {
		t.Error("what must match something is not what the project itself excludes")
	}
	if _, err := loadDir(typeTree(t, map[string]string{"base": "description: b\nexclude: [run]\n"}, map[string]string{"a": armRoot + "type: base\n"})); err == nil {
		t.Error("a relative pattern passed")
	}
}

// TestShippedTypes: they can be read, and say what they are; the tree of the examples has all of them.
func TestShippedTypes(t *testing.T) {
	types, err := Types(Source{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, info := range types {
		names = append(names, info.Name)
		if info.Description == "" || !strings.HasPrefix(info.File, "xtoo:types/") {
			t.Errorf("%+v", info)
		}
		for _, v := range info.Values {
			if v.Help == "" {
				t.Errorf("value %s of %s has no help", v.Name, info.Name)
			}
		}
	}
	if got := strings.Join(names, " "); got != "container host kantoo stage4 target xdev" {
		t.Error(got)
	}
	if qemu.Host().Name != "x86-64bit" {
		return // the example's host is for such a machine
	}
	tree, err := loadDir("../examples/universal")
	if err != nil {
		t.Fatal(err)
	}
	if err := tree.Check(tree.projects, Given{Answers: nil, Set: []string{"root_password=secret"}}); err != nil {
		t.Error(err)
	}
	used := map[string]bool{}
	for _, p := range tree.projects {
		for _, name := range []string{"host", "target", "xdev", "kantoo", "stage4"} {
			used[name] = used[name] || p.of.is(name)
		}
	}
	if len(used) != 5 || slices.Contains(slices.Collect(maps.Values(used)), false) {
		t.Error(used)
	}
}

// TestNewConfig: what is written for somebody can be read, whatever the values are.
func TestNewConfig(t *testing.T) {
	info, err := Type(Source{Dir: t.TempDir()}, "stage4")
	if err != nil {
		t.Fatal(err)
	}
	odd := []string{"a: b", "#x", "-X", "'", `"`, `\`, "[x", "{x}", "true", "022", "~", "ü", "x\u2028y", "&a", "*a", "!x", "%x", "@x", "|", "null"}
	c := NewConfig{Type: *info, Base: "from: scratch", Values: map[string]string{}}
	for _, name := range []string{"packages", "services", "remove"} {
		words := slices.DeleteFunc(slices.Clone(odd), func(s string) bool { return strings.ContainsAny(s, " \u2028") })
		if c.Values[name], err = info.Given(name, strings.Join(words, ",")); err != nil {
			t.Fatal(err)
		}
	}
	for _, text := range append(odd, "two\nlines") {
		c.Values["root_overlay"] = yamlText(text)
		dir := workdir(t, map[string]string{"p/" + configName: string(c.Text())})
		tree, err := loadDir(dir)
		if err != nil {
			t.Fatalf("%q: %v\n%s", text, err, c.Text())
		}
		p := tree.projects[0]
		if got := p.visible["root_overlay"].def.text.src; got != text {
			t.Errorf("%q is read as %q", text, got)
		}
	}
	if _, err := info.Given("nothing", "x"); err == nil || !strings.Contains(err.Error(), "no value") {
		t.Error(err)
	}
}

// TestTypeQuestions: defaults are shown as somebody would type them, and an empty answer leaves them.
func TestTypeQuestions(t *testing.T) {
	info, err := Type(Source{Dir: t.TempDir()}, "kantoo")
	if err != nil {
		t.Fatal(err)
	}
	shown := map[string]string{}
	for _, q := range info.Questions("pi") {
		shown[q.Name] = q.Default
		if err := q.Check(""); err != nil {
			t.Errorf("%s: %v", q.Name, err)
		}
	}
	if len(shown) != 2 || shown["hostname"] != "{{ .project.name }}" || shown["packages"] != "" {
		t.Errorf("questions %q", shown)
	}
}
