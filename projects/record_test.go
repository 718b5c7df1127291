package projects

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/projects/ask"
)

// TestRecord: what is recorded gives the same answers again, and no secret is in it.
func TestRecord(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{"a/" + configName: `
from: [{image: scratch, arch: amd64}, {image: scratch, arch: arm64}]
values:
  pw: {secret: true}
  list: {many: true, choices: [vim, git]}
  text:
  kernel: {arch: {amd64: debian}}
`}))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Resolve(tree.projects, Given{})
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	given := Given{}
	for _, q := range missing.Questions() {
		text := map[string]string{"pw": "geheim", "list": "vim, git", "text": "3.10: #{{", "kernel": "pi"}[q.Name]
		given.Answers = append(given.Answers, ask.Answer{Project: q.Project, Name: q.Name, Text: text, Platforms: q.Platforms})
	}
	data, err := tree.Record(given)
	if err != nil {
		t.Fatal(err)
	}
	want := recordHead + `projects:
  a:
    list:
      - vim
      - git
    text: '3.10: #{{'
  a[arm-64bit/arm64_generic]:
    kernel: pi
`
	if string(data) != want {
		t.Errorf("have %s\nwant %s", data, want)
	}
	path := filepath.Join(t.TempDir(), "answers.yaml")
	if err := os.WriteFile(path, append(data, "list: [git]\n"...), 0o600); err != nil {
		t.Fatal(err)
	}
	again := Given{AnswerFiles: []string{path}, Answers: given.Answers[:1]}
	plan := resolve(t, tree, again)
	for i, kernel := range []string{"debian", "pi"} {
		if v := plan.Projects[i].values; v["kernel"].String() != kernel || v["list"].String() != "vim git" || v["text"].String() != "3.10: #{{" {
			t.Errorf("replayed: %v", v)
		}
	}
	// What was taken from such a file is written again.
	if twice, err := tree.Record(again); err != nil || string(twice) != recordHead+"list:\n  - git\n"+string(data[len(recordHead):]) {
		t.Errorf("again: %v\n%s", err, twice)
	}
	if none, err := tree.Record(Given{}); err != nil || string(none) != recordHead+"{}\n" {
		t.Errorf("nothing: %v\n%s", err, none)
	}
	if _, err := tree.Record(Given{AnswerFiles: []string{"/nonexistent"}}); err == nil {
		t.Error("a file that is not there is no error")
	}
}

func TestSecretsGiven(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{
		"a/" + configName:   "from: {image: scratch, arch: amd64}\nvalues: {pw: {secret: true}, open: 1}",
		"a/b/" + configName: "values: {pw: }",
		"z/" + configName:   "from: {image: scratch, arch: amd64}\nvalues: {pw: free}",
	}))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(path, []byte("from file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := []string{"PW=from env", "SHORT=abc"}
	plan := resolve(t, tree, Given{Env: env, Secrets: []string{"a:pw=file:" + path, "a/b:pw=env:PW"}})
	if a, b := plan.find("a").values["pw"].reveal(), plan.find("a/b").values["pw"].reveal(); a != "from file" || b != "from env" {
		t.Errorf("%q, %q", a, b)
	}
	for arg, want := range map[string]string{
		"pw=geheim":                 "--secret needs NAME=file:PATH or NAME=env:VARIABLE",
		"geheim":                    "--secret needs NAME=file:PATH or NAME=env:VARIABLE",
		"a:pw=env:NONE":             `--secret a:pw: there is no environment variable "NONE"`,
		"a:pw=file:/nonexistent/pw": "--secret a:pw: open /nonexistent/pw: no such file",
		"a:pw=env:SHORT":            `value "pw": a secret of less than 4 bytes`,
		"open=env:PW":               "--secret open: no value of this name is secret (give it with --set",
		"nope=env:PW":               `--secret nope: no project declares a value "nope"`,
		"pw=env:PW":                 `--secret pw gives a secret, and in project "z" the value of this name is none`,
		"x:pw=env:PW":               `--secret x:pw: there is no project "x"`,
		"a:pw=file:/dev/zero":       "/dev/zero has more than",
	} {
		_, err := tree.Resolve(tree.projects, Given{Env: env, Secrets: []string{arg}})
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "geheim") {
			t.Errorf("%s: have %v, want %s", arg, err, want)
		}
	}
}

// TestAskForDefaults: values with a prompt are asked for although they have defaults, which stay where they will do.
func TestAskForDefaults(t *testing.T) {
	tree, err := loadDir(workdir(t, map[string]string{"a/" + configName: `
from: [{image: scratch, arch: amd64}, {image: scratch, arch: arm64}]
values:
  host: {prompt: Host name, default: box}
  fqdn: "{{ .values.host }}.org"
  list: {prompt: Programs, default: [vim, git], choices: [vim, git, tmux], many: true}
  kernel: {prompt: Kernel, default: any, arch: {arm64: pi}}
  silent: 1
`, "a/b/" + configName: "values: {list: }"}))
	if err != nil {
		t.Fatal(err)
	}
	given := Given{Ask: true}
	_, err = tree.Resolve(tree.projects, given)
	var missing *MissingError
	if !errors.As(err, &missing) {
		t.Fatal(err)
	}
	var asked []string
	for _, q := range missing.Questions() {
		asked = append(asked, q.Name+"="+q.Default+strings.Join(q.Platforms, ""))
		a := ask.Answer{Project: q.Project, Name: q.Name, Platforms: q.Platforms}
		switch {
		case q.Name == "host":
			a.Text = "pi"
		case q.Default == "pi":
			a.Text = "mainline"
		default:
			a.Default = true
		}
		given.Answers = append(given.Answers, a)
	}
	if have := strings.Join(asked, " "); have != "host=box list=vim,git kernel=anyx86-64bit/generic_64 kernel=piarm-64bit/arm64_generic" {
		t.Error(have)
	}
	plan := resolve(t, tree, given)
	for i, kernel := range []string{"any", "mainline", "any", "mainline"} {
		v := plan.Projects[i].values
		if v["kernel"].String() != kernel || v["host"].String() != "pi" || v["fqdn"].String() != "pi.org" || v["list"].String() != "vim git" {
			t.Errorf("%s: %v", plan.Projects[i].Label(), v)
		}
	}
	if data, err := tree.Record(given); err != nil || string(data) != recordHead+"projects:\n  a:\n    host: pi\n  a[arm-64bit/arm64_generic]:\n    kernel: mainline\n" {
		t.Errorf("%v\n%s", err, data)
	}
	if _, err := tree.Resolve(tree.projects, Given{Ask: true, Set: []string{"host=a", "list=vim", "kernel=x"}}); err != nil {
		t.Error("what is given is asked for:", err)
	}
}
