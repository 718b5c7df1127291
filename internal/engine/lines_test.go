package engine

import (
	"slices"
	"strings"
	"testing"

	"xtoo/projects"
)

func TestLineWriter(t *testing.T) {
	var got []string
	w := &lineWriter{
		emit:    func(s string) error { got = append(got, s); return nil },
		secrets: map[string]*projects.Secret{"pw": projects.NewSecret("hunter2"), "key": projects.NewSecret("line one\nline two\nab"), "no": projects.NewSecret("")},
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
	if _, err := w.Write([]byte(strings.Repeat("x", maxLine))); err != nil || len(got) != 1 || len(w.rest) != 0 {
		t.Errorf("a line of %d bytes without an end is kept back (%v)", maxLine, err)
	}
}
