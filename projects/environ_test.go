package projects

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestTemplatesReadTheEnvironment(t *testing.T) {
	tree, err := loadOne(t, `
from: {image: scratch, arch: amd64}
values:
  proxy: {default: "{{ .env.PROXY }}"}
  mirror: {default: '{{ default "none" (env "MIRROR") }}'}
  loud: {default: '{{ env "PROXY" | upper }}{{ range .values.list }}{{ . }}{{ env "PROXY" }}{{ end }}'}
  list: [a, b]
  pw: {secret: true, default: "{{ .env.PW }}"}
env: {HTTP_PROXY: "{{ .env.PROXY }}"}
scripts: [{name: x, run: 'echo {{ env "PROXY" }}'}]
`, "")
	if err != nil {
		t.Fatal(err)
	}
	plan := resolve(t, tree, Given{Env: []string{"PROXY=old", "PROXY=p", "PW=geheim"}})
	q := plan.find("a")
	for name, want := range map[string]string{"proxy": "p", "mirror": "none", "loud": "Papbp", "pw": hidden} {
		if got := q.values[name].String(); got != want {
			t.Errorf("%s = %q, want %q", name, got, want)
		}
	}
	if got := q.values["pw"].reveal(); got != "geheim" {
		t.Errorf("secret %q", got)
	}
	if n := q.Nodes[0]; string(n.body) != "echo p" || !strings.Contains(strings.Join(n.Environ(), " "), "HTTP_PROXY=p") {
		t.Errorf("body %q, environment %v", n.body, n.Environ())
	}
	// It is in keys as what it makes is.
	key := func(env ...string) string {
		in, err := resolve(t, tree, Given{Env: append(env, "PW=geheim")}).find("a").Nodes[0].Inputs(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, c := range in.Components {
			b.WriteString(c.Name + " " + string(c.Digest) + "\n")
		}
		return b.String()
	}
	if key("PROXY=p") != key("PROXY=p", "OTHER=x") || key("PROXY=p") == key("PROXY=q") {
		t.Error("keys do not follow what is read")
	}
}

func TestWrongEnvironment(t *testing.T) {
	for text, want := range map[string]string{
		`{{ .env }}`:                      ".env needs the name of a variable",
		`{{ .env.A.B }}`:                  ".env needs the name of a variable",
		`{{ env "A B" }}`:                 `"A B" is no name of an environment variable`,
		`{{ env .values.x }}`:             "env needs the name of a variable as it is, in quotes",
		`{{ "A" | env }}`:                 "env needs the name of a variable as it is, in quotes",
		`{{ upper env }}`:                 "env needs the name of a variable as it is, in quotes",
		`{{ .env.XTOO_VALUE_X }}`:         "templates cannot read XTOO_VALUE_X: use .values.x, which it gives",
		`{{ .env.XTOO_STORE }}`:           "templates cannot read XTOO_STORE: they are xtoo's own",
		`{{ .environment.HOME }}`:         "there is no .environment",
		`{{ with "x" }}{{ env }}{{ end}}`: "env needs the name",
	} {
		_, err := loadOne(t, "from: scratch\nvalues: {x: 1}\nscripts: [{name: a, run: '"+text+"'}]", "")
		if err == nil || !strings.Contains(err.Error(), ":3:26: template: "+want) {
			t.Errorf("%s: have %v, want %s", text, err, want)
		}
	}
	// A variable that holds a secret reaches nothing but secrets.
	tree, err := loadOne(t, "from: {image: scratch, arch: amd64}\nvalues: {x: '{{ .env.PW }}', pw: {secret: true}}", "")
	if err != nil {
		t.Fatal(err)
	}
	_, err = tree.Resolve(tree.projects, Given{Env: []string{"PW=geheim"}, Secrets: []string{"pw=env:PW"}})
	if err == nil || !strings.Contains(err.Error(), "the environment variable PW holds a secret") || strings.Contains(err.Error(), "geheim") {
		t.Error(err)
	}
	tree, err = loadOne(t, "from: {image: scratch, arch: amd64}\nvalues: {pw: {secret: true, default: '{{ .env.PW }}'}}\nscripts: [{name: a, run: '{{ .env.PW }}'}]", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err = tree.Resolve(tree.projects, Given{Env: []string{"PW=geheim"}}); err == nil || !strings.Contains(err.Error(), "the environment variable PW holds a secret") {
		t.Error(err)
	}
}

func TestOrderOfSources(t *testing.T) {
	tree, err := loadOne(t, `
from: {image: scratch, arch: amd64}
values: {x: default, y: {prompt: Y}, list: [a], pw: {secret: true}}
`, "values: {x: below}")
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := func(name, text string) string {
		p := filepath.Join(dir, name)
		if err := os.WriteFile(p, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return p
	}
	g := Given{}
	steps := []struct {
		add  func()
		want string // of x in a and a/b
	}{
		{func() { g.AnswerFiles = []string{file("0", "{y: y, pw: abcd}")} }, "default below"},
		{func() { g.AnswerFiles = append(g.AnswerFiles, file("1", "projects: {a/b: {x: answer}}")) }, "default answer"},
		{func() { g.Env = []string{"XTOO_VALUE_X=env", "XTOO_VALUE_Z=1", "XTOO_VALUE_x=2"} }, "env env"},
		{func() { g.Files = []string{file("2", "x: file")} }, "file file"},
		{func() { g.Set = []string{"x=set"} }, "set set"},
		{func() { g.Set = []string{"a/b:x=set", "x=all"} }, "all set"},
	}
	for _, s := range steps {
		s.add()
		plan := resolve(t, tree, g)
		if got := plan.find("a").values["x"].String() + " " + plan.find("a/b").values["x"].String(); got != s.want {
			t.Errorf("have %s, want %s", got, s.want)
		}
	}
	g.Env = []string{"XTOO_VALUE_LIST=b, c", "XTOO_VALUE_PW=from-env"}
	plan := resolve(t, tree, g)
	if v := plan.find("a").values; v["list"].String() != "b c" || v["pw"].reveal() != "from-env" {
		t.Errorf("%v", v)
	}
	var warned []string
	for _, w := range tree.UnknownVariables([]string{"XTOO_VALUE_X=1", "XTOO_VALUE_LITS=2", "XTOO_VALUE_x=3", "XTOO_VALUES=4", "HOME=5"}) {
		warned = append(warned, w.Error())
	}
	if have := strings.Join(warned, "|"); have != `environment variable XTOO_VALUE_LITS gives no value, since no project declares one of that name: did you mean "XTOO_VALUE_LIST"?|`+
		`environment variable XTOO_VALUE_x gives no value, since no project declares one of that name: did you mean "XTOO_VALUE_X"?` {
		t.Error(have)
	}
	_, err = tree.Resolve(tree.projects, Given{Set: []string{"y=y", "pw=abcd"}, Env: []string{"XTOO_VALUE_LIST=a b"}})
	if err == nil || !strings.Contains(err.Error(), "environment variable XTOO_VALUE_LIST: value \"list\": item") {
		t.Error(err)
	}
}
