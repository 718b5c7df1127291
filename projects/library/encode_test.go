package library

import (
	"strings"
	"testing"

	"xtoo/projects/schema"
)

const everyType = head + `parameters:
  s: {type: string, pattern: '^[a-z]*$', choices: [a, b]}
  i: {type: int, default: 3}
  b: {type: bool, default: no}
  l: {type: list, pattern: '^[^/]'}
  r: {type: records, fields: {name: {required: true}, groups: {pattern: '^[a-z]'}, shell: {default: /bin/sh}}}
  m: {type: map}
  t: {type: text}
  p: {type: path}
  x: {type: secret}
  need: {type: string, required: true, example: e}
`

// encoded reads `with` of the step above and gives its variables, or what is wrong.
func encoded(t testing.TB, with string) (map[string]string, error) {
	t.Helper()
	var probs schema.Problems
	s := Open(place("w", map[string]string{"steps/s/step.yaml": everyType, "steps/s/run.sh": ""})).Step("s", schema.Position{}, &probs)
	if s == nil {
		t.Fatal(probs.Err())
	}
	doc := &schema.Document{Label: "with", Root: s.Shape()}
	v, _ := doc.Read("f", []byte(with), &probs)
	out := map[string]string{}
	for _, p := range s.Parameters {
		out[p.Variable()] = p.Encode(v.Get(p.Name), func(v *schema.Value) (string, bool) { return strings.ReplaceAll(v.Text, "{{nl}}", "\n"), true },
			func(pos schema.Position, msg string) { probs.Addf(pos, "%s", msg) })
	}
	return out, probs.Err()
}

func TestEncode(t *testing.T) {
	for _, c := range []struct{ with, variable, want string }{
		{"{need: x}", "WITH_I", "3"},
		{"{need: x}", "WITH_B", "false"},
		{"{need: x}", "WITH_L", ""},
		{"{need: x, s: ''}", "WITH_S", ""},
		{"{need: 022}", "WITH_NEED", "022"},
		{"{need: x, i: 007}", "WITH_I", "7"},
		{"{need: x, b: Yes}", "WITH_B", "true"},
		{"{need: x, l: ' a  b\n c'}", "WITH_L", "a\nb\nc"},
		{"{need: x, l: [a b, 1.50, true]}", "WITH_L", "a b\n1.50\ntrue"},
		{"{need: x, r: [{name: u, groups: [a, b]}, {name: v, shell: ''}]}", "WITH_R", "u\x1fa,b\x1f/bin/sh\nv\x1f\x1f"},
		{"{need: x, r: ' name=u;groups=a,b  name=v;shell= '}", "WITH_R", "u\x1fa,b\x1f/bin/sh\nv\x1f\x1f"},
		{"{need: x, r: ''}", "WITH_R", ""},
		{"{need: x, m: {z.a/b: 1, a: 'b=c'}}", "WITH_M", "z.a/b=1\na=b=c"},
		{"{need: x, t: \"a\\n\\tb\\n\"}", "WITH_T", "a\n\tb\n"},
		{"{need: x, p: a/b}", "WITH_P", "a/b"},
		{"{need: x, x: pw}", "WITH_X", "pw"},
	} {
		if got, err := encoded(t, c.with); err != nil || got[c.variable] != c.want {
			t.Errorf("%s: %q, want %q; %v", c.with, got[c.variable], c.want, err)
		}
	}
	for _, c := range []struct{ with, want string }{
		{"{}", `f:1:1: with has no "need"`},
		{"{need: ''}", `f:1:8: it is empty, and must not be`},
		{"{need: \"a\\nb\"}", `f:1:8: the text "a\nb" has several lines`},
		{"{need: '{{nl}}'}", `has several lines`},
		{"{need: x, l: ['a{{nl}}']}", `has several lines`},
		{"{need: \"a\\eb\"}", `holds the control character '\x1b'`},
		{"{need: \"a\\x1fb\"}", `holds the control character '\x1f'`},
		{"{need: x, t: \"a\\eb\"}", `it holds a control character`},
		{"{need: x, s: c}", `f:1:14: "c" is none of the choices: a, b`},
		{"{need: x, s: [a]}", `f:1:14: "s" must be text, a number, or true or false, found a list`},
		{"{need: x, i: 3.5}", `it must be a whole number, found "3.5"`},
		{"{need: x, b: maybe}", `it must be true or false, found "maybe"`},
		{"{need: x, l: [a, '']}", `f:1:18: an item is empty`},
		{"{need: x, l: [/a]}", `"/a" does not match ^[^/]`},
		{"{need: x, l: 'a /a'}", `"/a" does not match ^[^/]`},
		{"{need: x, l: {a: b}}", `"l" must be a list of texts, or a text that is split at white space, found a mapping`},
		{"{need: x, r: [{nam: u}]}", `parameter "r" has no field "nam": did you mean "name"?`},
		{"{need: x, r: [{name: ''}]}", `"name" is empty, and must not be`},
		{"{need: x, r: [{name: u, groups: ['a,b']}]}", `holds a comma`},
		{"{need: x, r: [{name: u, groups: [1]}]}", `"1" does not match ^[a-z]`},
		{"{need: x, r: {name: u}}", `"r" must be a list of mappings ({name: …, groups: …, shell: …}), or a text of words NAME=TEXT;NAME=TEXT, found a mapping`},
		{"{need: x, r: 'name=u;nam=v'}", `"nam=v" in "name=u;nam=v" is no field: want NAME=TEXT;NAME=TEXT with the names name, groups, shell`},
		{"{need: x, r: 'name=u;name=v'}", `"name" in "name=u;name=v" stands twice`},
		{"{need: x, r: 'shell=/x'}", `"shell=/x" needs the field "name"`},
		{"{need: x, m: {a=b: c}}", `"a=b" is not a key: a text of one line without =`},
		{"{need: x, m: [a]}", `"m" must be a mapping (key: text), found a list`},
		{"{need: x, x: A}", `"A" is not the name of a value that is declared secret`},
		{"{ned: x}", `step "s" has no parameter "ned": did you mean "need"?`},
	} {
		if _, err := encoded(t, c.with); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v\nwant %s", c.with, err, c.want)
		}
	}
}

// FuzzStep: whatever stands in step.yaml and under `with`, nothing but what is documented reaches a script: as many lines as
// items, as many fields as there are.
func FuzzStep(f *testing.F) {
	f.Add(everyType, "{need: x, l: [a], r: [{name: u}], m: {a: b}}")
	f.Add(head+"parameters: {a: {type: list, default: &x [b, *x]}}", "{a: *x}")
	f.Add(head+"sh: [root]\ncheck: {name: a, doc: b, script: run.sh}", "{}")
	f.Fuzz(func(t *testing.T, yaml, with string) {
		var probs schema.Problems
		s := Open(place("w", map[string]string{"steps/s/step.yaml": yaml, "steps/s/run.sh": "true"})).Step("s", schema.Position{}, &probs)
		if s == nil {
			if probs.Len() == 0 {
				t.Fatal("no step, and nothing is wrong")
			}
			return
		}
		if d := s.Doc(); d.Name != "s" || d.Group == "" || len(d.Parameters) != len(s.Parameters) {
			t.Fatalf("documented as %+v", d)
		}
		v, _ := (&schema.Document{Label: "with", Root: s.Shape()}).Read("f", []byte(with), &probs)
		for _, p := range s.Parameters {
			items := 1
			if given := v.Get(p.Name); given != nil {
				items = max(len(given.Items), len(given.Keys), 1)
				if given.Kind == schema.KindText {
					items = max(len(strings.Fields(given.Text)), 1)
				}
			} else if p.Default != nil {
				items = max(len(p.Default.Items), len(p.Default.Keys), 1+strings.Count(p.Default.Text, " ")+strings.Count(p.Default.Text, "\n"))
			}
			before := probs.Len()
			text := p.Encode(v.Get(p.Name), func(v *schema.Value) (string, bool) { return v.Text, true },
				func(pos schema.Position, msg string) { probs.Addf(pos, "%s", msg) })
			if probs.Len() > before || p.Type == typeText {
				continue
			}
			if n := strings.Count(text, "\n"); n >= items && n > 0 {
				t.Fatalf("%s %q has %d lines of %d items", p.Type, text, n+1, items)
			}
			for line := range strings.Lines(text) {
				if p.Type == typeRecords && strings.Count(line, fieldEnd) != len(p.fields)-1 {
					t.Fatalf("record %q", line)
				}
			}
		}
	})
}
