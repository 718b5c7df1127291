package catalyst

import (
	"errors"
	"strings"
	"testing"
)

const spec = `# a stage4
subarch: amd64
target: stage4 # not another
stage4/packages:
	app-editors/vim
	dev-libs/foo::local  https://example.org/x:y
stage4/rcadd: sshd|default metalog|default
stage4/empty:
`

func TestParse(t *testing.T) {
	s, err := Parse([]byte(spec))
	if err != nil {
		t.Fatal(err)
	}
	p := s.Get("stage4/packages")
	if p == nil || p.Line != 4 || p.Text() != "app-editors/vim dev-libs/foo::local https://example.org/x:y" || p.Words[1].Line != 6 {
		t.Errorf("%+v", p)
	}
	if s.Get("target").Text() != "stage4" || s.Get("stage4/rcadd").Words[0].Text != "sshd|default" || len(s.Get("stage4/empty").Words) != 0 || s.Get("nothing") != nil {
		t.Errorf("%+v", s)
	}
}

func TestParseWrong(t *testing.T) {
	for text, want := range map[string]string{
		"word\n":                                "line 1: a word without a key",
		"a: b\n\na: c\n":                        `line 3: the key "a" stands twice: first in line 1`,
		"a: \xff":                               "line 1: it is not UTF-8",
		"a: b\nc: \x01":                         "line 2: it holds the control character U+0001",
		"a:" + strings.Repeat(" x", maxWords+1): "line 1: more than",
	} {
		_, err := Parse([]byte(text))
		var syntax *SyntaxError
		if !errors.As(err, &syntax) || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%.20q: %v", text, err)
		}
	}
	if _, err := Parse(make([]byte, MaxSize+1)); err == nil {
		t.Error("a spec of any size is read")
	}
}

// FuzzParse: no text makes reading panic, and what is read, written again, is read as the same.
func FuzzParse(f *testing.F) {
	f.Add([]byte(spec))
	f.Add([]byte("a:\n b: c\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := Parse(data)
		if err != nil {
			return
		}
		var b strings.Builder
		for _, k := range s.Keys {
			b.WriteString(k.Name + ":\n")
			for _, w := range k.Words {
				b.WriteString("\t" + w.Text + "\n")
			}
		}
		again, err := Parse([]byte(b.String()))
		if err != nil && !strings.Contains(err.Error(), "bytes") {
			t.Fatalf("%v\n%q", err, b.String())
		}
		if err == nil && len(again.Keys) != len(s.Keys) {
			t.Fatalf("%d keys, were %d", len(again.Keys), len(s.Keys))
		}
		for i := range s.Keys {
			if err == nil && again.Keys[i].Text() != s.Keys[i].Text() {
				t.Fatalf("%q: %q, was %q", s.Keys[i].Name, again.Keys[i].Text(), s.Keys[i].Text())
			}
		}
	})
}
