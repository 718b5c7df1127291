package library

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"xtoo/projects/schema"
)

// TestShipped: every step that ships can be read, is documented, and has a script that is a shell's.
func TestShipped(t *testing.T) {
	var probs schema.Problems
	l := Open()
	steps := l.Steps(&probs)
	if err := probs.Err(); err != nil {
		t.Fatal(err)
	}
	if len(steps) == 0 || len(steps) != len(l.StepNames()) {
		t.Fatalf("%d steps of %d names", len(steps), len(l.StepNames()))
	}
	called, checks := map[string]string{}, map[string]string{}
	var all strings.Builder
	for _, s := range steps {
		for _, name := range append([]string{s.Name}, s.aliases...) {
			if other := called[name]; other != "" {
				t.Errorf("%q is %s and %s", name, other, s.Name)
			}
			called[name] = s.Name
		}
		for _, p := range s.Parameters {
			if p.Doc == "" {
				t.Errorf("%s: parameter %s is not documented", s.File, p.Name)
			}
			if p.Required && p.example == "" {
				t.Errorf("%s: parameter %s must be given, and has no example", s.File, p.Name)
			}
		}
		scripts := [][]byte{s.Script}
		if s.Check != nil {
			if other := checks[s.Check.name]; other != "" {
				t.Errorf("the check %q is of %s and of %s", s.Check.name, other, s.Name)
			}
			checks[s.Check.name] = s.Name
			scripts = append(scripts, s.Check.Script)
		}
		for _, script := range scripts {
			all.WriteString("f() {\n" + string(script) + "\n}\n")
		}
	}
	// One process for all of them; the line is then worth little, so that each is parsed alone if it fails.
	if parses(all.String()) == "" {
		return
	}
	for _, s := range steps {
		if said := parses(string(s.Script)); said != "" {
			t.Errorf("%s: the script: %s", s.File, said)
		}
		if s.Check == nil {
			continue
		}
		if said := parses(string(s.Check.Script)); said != "" {
			t.Errorf("%s: the check: %s", s.File, said)
		}
	}
}

// parses returns what /bin/sh has against a text.
func parses(script string) string {
	cmd := exec.Command("/bin/sh", "-n")
	cmd.Stdin = strings.NewReader(script)
	out, err := cmd.CombinedOutput()
	if err != nil {
		return err.Error() + ": " + string(out)
	}
	return ""
}

// place is a place with files.
func place(name string, files map[string]string) Place {
	fsys := fstest.MapFS{}
	for path, text := range files {
		fsys[path] = &fstest.MapFile{Data: []byte(text)}
	}
	return Place{FS: fsys, Name: name}
}

const head = "description: Does.\ngroup: system\n"

func TestFirstPlaceCounts(t *testing.T) {
	l := Open(
		place("work", map[string]string{"steps/mine/step.yaml": head + "aliases: [own, hostname]\n", "steps/mine/run.sh": "echo work",
			"steps/broken/step.yaml": "x", "types/x.yaml": "from work"}),
		place("/home/somebody/.config/xtoo", map[string]string{"steps/mine/step.yaml": head, "steps/mine/run.sh": "echo home",
			"steps/other/step.yaml": head + "check: {name: others, doc: d}\n", "steps/other/run.sh": "", "steps/other/check.sh": "false",
			"steps/Wrong/step.yaml": head, "types/x.yaml": "from home", "types/y.yaml": "y", "types/y/a.sh": "a"}),
	)
	var probs schema.Problems
	step := func(name string) *Step { return l.Step(name, schema.Position{File: "f", Line: 1, Column: 2}, &probs) }
	for name, want := range map[string]string{"mine": "work/steps/mine/step.yaml", "own": "work/steps/mine/step.yaml",
		"other": "/home/somebody/.config/xtoo/steps/other/step.yaml", "hostname": "xtoo:steps/hostname/step.yaml"} {
		if s := step(name); s == nil || s.File != want {
			t.Errorf("%s: %+v, want %s", name, s, want)
		}
	}
	if s := step("mine"); string(s.Script) != "#!/bin/sh\nset -eu\necho work\n" {
		t.Errorf("script %q", s.Script)
	}
	if s := l.Check("others", schema.Position{}, &probs); s == nil || s.Name != "other" || string(s.Check.Script) != "#!/bin/sh\nset -eu\nfalse\n" {
		t.Errorf("check: %+v", s)
	}
	if x, ok := l.Type("x", schema.Position{}, &probs); !ok || string(x.Data) != "from work" || x.File != "work/types/x.yaml" {
		t.Errorf("type x: %+v", x)
	}
	if y, ok := l.Type("y", schema.Position{}, &probs); !ok || y.Dir != "types/y" {
		t.Errorf("type y: %+v", y)
	} else if a, err := fs.ReadFile(y.Place.FS, y.Dir+"/a.sh"); err != nil || string(a) != "a" {
		t.Errorf("file of type y: %q, %v", a, err)
	}
	if err := probs.Err(); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ want string }{
		{`f:1:2: there is no step "mien": did you mean "mine"?`}, {`work/steps/broken/step.yaml:1:1: the step must be a mapping (key: value), found the text "x"`},
		{`f:1:2: there is no step "../x" (`}, {`f:1:2: there is no check "otters": did you mean "others"?`}, {`f:1:2: there is no type "z": did you mean`},
	} {
		var probs schema.Problems
		pos := schema.Position{File: "f", Line: 1, Column: 2}
		for _, do := range []func(){func() { l.Step("mien", pos, &probs) }, func() { l.Step("broken", pos, &probs) }, func() { l.Step("../x", pos, &probs) },
			func() { l.Check("otters", pos, &probs) }, func() { l.Type("z", pos, &probs) }} {
			do()
		}
		if err := probs.Err(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("no %q in:\n%v", c.want, err)
		}
	}
	if names := l.StepNames(); !slices.Contains(names, "broken") || slices.Contains(names, "Wrong") || !slices.IsSorted(names) {
		t.Errorf("names %q", names)
	}
}

func TestWrongSteps(t *testing.T) {
	for _, c := range []struct{ yaml, want string }{
		{"", "the file is empty"},
		{"group: system", `:1:1: the step has no "description"`},
		{"description: x\ngroup: systm", `:2:8: "group" must be "packages", "system", "files" or "container", found "systm": did you mean "system"?`},
		{head + "parametres: {}", `:3:1: unknown key "parametres": did you mean "parameters"?`},
		{head + "sh: [root, rot]", `:3:12: there are no shell functions "rot": did you mean "root"?`},
		{head + "sh: [../root]", `:3:6: item 1 of "sh"`},
		{head + "check: {name: a, doc: b}", `:3:8: the step has no script check.sh`},
		{head + "check: {name: a, doc: b, script: ../../x}", `:3:34: "script": "../../x" is not the name of a file beside step.yaml`},
		{head + "check: {name: a, script: run.sh}", `:3:8: "check" has no "doc"`},
		{head + "aliases: [A]", `:3:11: item 1 of "aliases"`},
		{head + "network: yes", `:3:10: "network" must be "none" or "host"`},
		{head + "parameters: {A: {type: int}}", `:3:14: "A" is not a parameter's name`},
		{head + "parameters: {a: {}}", `:3:17: "a" has no "type"`},
		{head + "parameters: {a: {type: lst}}", `did you mean "list"?`},
		{head + "parameters: {a: {type: int, default: x}}", `:3:38: default of parameter "a": it must be a whole number, found "x"`},
		{head + "parameters: {a: {type: list, default: {b: c}}}", `:3:39: default of parameter "a" must be a list of texts`},
		{head + "parameters: {a: {type: string, choices: [b], default: c}}", `:3:55: default of parameter "a": "c" is none of the choices: b`},
		{head + "parameters: {a: {type: string, pattern: '^b', example: c}}", `:3:56: example of parameter "a": "c" does not match ^b`},
		{head + "parameters: {a: {type: string, pattern: '('}}", `:3:41: not a regular expression`},
		{head + "parameters: {a: {type: string, required: true, default: c}}", `:3:57: parameter "a" is required, and has a default`},
		{head + "parameters: {a: {type: path, default: c}}", `:3:39: parameter "a": a path has no default`},
		{head + "parameters: {a: {type: secret, pattern: c}}", `:3:32: parameter "a": pattern are not for secret`},
		{head + "parameters: {a: {type: records}}", `:3:17: parameter "a": records need "fields"`},
		{head + "parameters: {a: {type: records, fields: {}}}", `:3:41: parameter "a": records need a field`},
		{head + "parameters: {a: {type: int, fields: {b: {}}}}", `:3:37: parameter "a": fields are for records`},
		{head + "parameters: {a: {type: records, fields: {b: {required: true, default: x}}}}", `:3:71: field "b" of parameter "a" is required, and has a default`},
		{head + "parameters: {a: {type: records, fields: {b: {}}, default: [{c: d}]}}", `:3:61: parameter "a" has no field "c"`},
		{head + "a: &a [*a]", `unknown key "a"`},
		{head + "parameters: {a: {type: list, default: &x [*x]}}", `must be text`},
	} {
		l := Open(place("w", map[string]string{"steps/s/step.yaml": c.yaml, "steps/s/run.sh": "true\n"}))
		var probs schema.Problems
		s := l.Step("s", schema.Position{}, &probs)
		if err := probs.Err(); s != nil || err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: step %v, problems %v\nwant %s", c.yaml, s, err, c.want)
		}
	}
	if s := Open(place("w", map[string]string{"steps/s/step.yaml": "description: x", "steps/s/run.sh": "true"})).Step("s", schema.Position{}, &schema.Problems{}); s == nil || s.Group != "" {
		t.Errorf("a step without a group: %v", s)
	}
	for file, want := range map[string]string{"": "the step has no script run.sh", "a\r\nb": "without CR LF", "a\x00": "without NUL", "#!/usr/bin/python3\n": "run.sh:1:1: a script of a step is executed by /bin/sh", "#!/bin/shx\n": "names another interpreter"} {
		files := map[string]string{"steps/s/step.yaml": head}
		if file != "" {
			files["steps/s/run.sh"] = file
		}
		var probs schema.Problems
		if s := Open(place("w", files)).Step("s", schema.Position{}, &probs); s != nil || !strings.Contains(probs.Err().Error(), want) {
			t.Errorf("run.sh %q: %v", file, probs.Err())
		}
	}
}

// TestShebangs: a #! line of a shell is none that matters.
func TestShebangs(t *testing.T) {
	for _, line := range []string{"#!/bin/sh\n", "#! /usr/bin/env bash\n", "#!/bin/sh -e", "#!/bin/bash -eu\n"} {
		var probs schema.Problems
		if s := Open(place("w", map[string]string{"steps/s/step.yaml": head, "steps/s/run.sh": line})).Step("s", schema.Position{}, &probs); s == nil {
			t.Errorf("%q: %v", line, probs.Err())
		}
	}
}

// TestDangling: a link to nothing is said to be one. It counts before what stands further down, and is never offered in place of itself.
func TestDangling(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"types/host.yaml", "steps/users/step.yaml", "steps/s/run.sh"} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(filepath.Join(dir, name)), 0o755), os.Symlink("nowhere", filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "steps/s/step.yaml"), []byte(head), 0o644); err != nil {
		t.Fatal(err)
	}
	l := Open(Place{FS: os.DirFS(dir), Name: "w"})
	var probs schema.Problems
	if _, ok := l.Type("host", schema.Position{}, &probs); ok || l.Step("users", schema.Position{}, &probs) != nil || l.Step("s", schema.Position{}, &probs) != nil {
		t.Error("links to nothing were taken")
	}
	got := probs.Err().Error()
	for _, want := range []string{"types/host.yaml: cannot read the type", "steps/users/step.yaml: cannot read the step", "cannot read the script run.sh"} {
		if !strings.Contains(got, want+": it is a symbolic link to what is not there") {
			t.Errorf("no %q in:\n%s", want, got)
		}
	}
}
