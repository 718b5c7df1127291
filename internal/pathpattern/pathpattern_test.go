package pathpattern

import (
	"strings"
	"testing"
)

func TestMatch(t *testing.T) {
	for pattern, c := range map[string]struct{ yes, no string }{
		"/usr/src/linux-*":   {"usr/src/linux-6 usr/src/linux-6/x", "usr/src usr/src/x/linux-6 src/linux-6"},
		"/a/?":               {"a/b a/b/c a/.", "a a/bc"},
		"/[!a]*":             {"b .x", "a ab"},
		"/**/cache":          {"cache a/cache a/b/cache/c", "a/caches"},
		"/a/**":              {"a/b a/b/c", "a b/a"},
		"/a/**/b/**/c":       {"a/b/c a/x/b/y/z/c/d", "a/c/b a/b"},
		`/a\*`:               {"a*", "ab"},
		"/usr/share/man/man": {"usr/share/man/man", "usr/share/man"},
	} {
		p, err := Parse(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for path := range strings.FieldsSeq(c.yes) {
			if !p.Match(path) {
				t.Errorf("%s does not match %s", pattern, path)
			}
		}
		for path := range strings.FieldsSeq(c.no) {
			if p.Match(path) {
				t.Errorf("%s matches %s", pattern, path)
			}
		}
		if again, err := Parse(p.String()); err != nil || again.String() != p.String() {
			t.Errorf("%s as a text: %s, %v", pattern, p, err)
		}
	}
}

func TestParse(t *testing.T) {
	for _, text := range []string{"", "a", "/", "/a/", "//a", "/a//b", "/./a", "/a/..", "/a**", "/[a", "/a\x00"} {
		if p, err := Parse(text); err == nil {
			t.Errorf("%q is %v", text, p)
		}
	}
}

func TestUnder(t *testing.T) {
	p, err := Parse("/lib/modules/*")
	if err != nil {
		t.Fatal(err)
	}
	if q, ok := p.Under("lib", "usr/l*b"); !ok || q.String() != `/usr/l\*b/modules/*` || !q.Match("usr/l*b/modules/6") || q.Match("usr/lib/modules/6") {
		t.Errorf("%v, %v", q, ok)
	}
	if _, ok := p.Under("lib/modules/6", "x"); ok {
		t.Error("it does not lead through what it matches")
	}
	if dirs := p.Dirs(); len(dirs) != 2 || dirs[1] != "lib/modules" {
		t.Errorf("%q", dirs)
	}
}
