package engine

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"xtoo/projects"
)

// secrets are those of a node that sees these.
func secrets(t testing.TB, set ...string) map[string]*projects.Secret {
	t.Helper()
	config := "from: scratch\nscripts: [{name: a, run: x}]\nvalues:\n"
	for _, s := range set {
		name, _, _ := strings.Cut(s, "=")
		config += "  " + name + ": {secret: true}\n"
	}
	tree, err := projects.Load(projects.Source{FS: fstest.MapFS{"p/.xtoo-config.yaml": {Data: []byte(config)}}})
	if err != nil {
		t.Fatal(err)
	}
	selected, err := tree.Select(nil, "/")
	if err != nil {
		t.Fatal(err)
	}
	plan, err := tree.Resolve(selected, projects.Given{Set: set})
	if err != nil {
		t.Fatal(err)
	}
	return plan.Projects[0].Nodes[0].Secrets()
}

func TestLineWriter(t *testing.T) {
	var got []string
	w := &lineWriter{
		emit:    func(s string) error { got = append(got, s); return nil },
		secrets: newRedactor(secrets(t, "pw=hunter2", "key=line one\nline two\nab", "no=")),
	}
	for _, p := range []string{"a", "b\nc\r\n\n", "+ echo hun", "ter2 hunter2\nline two, ab\n", "end"} {
		if n, err := w.Write([]byte(p)); n != len(p) || err != nil {
			t.Fatal(n, err)
		}
	}
	if err := w.flush(); err != nil {
		t.Fatal(err)
	}
	want := []string{"ab", "c", "", "+ echo (secret) (secret)", "(secret), ab", "end"}
	if !slices.Equal(got, want) {
		t.Errorf("have %q\nwant %q", got, want)
	}
	got = nil
	if _, err := w.Write([]byte(strings.Repeat("x", 2*maxLine))); err != nil || len(got) != 1 || len(w.rest) >= w.secrets.longest {
		t.Errorf("a line of %d bytes without an end is kept back (%v)", 2*maxLine, err)
	}
}
