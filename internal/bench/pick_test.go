package main

import (
	"strings"
	"testing"
)

func TestPick(t *testing.T) {
	b := &bench{}
	all := []string{"decode", "cold", "sif", "nothing", "forest", "change", "chain", "layers", "files", "emulation", "oneid"}
	for _, c := range []struct {
		pattern string
		want    []string
	}{
		{"", all},
		{"chain", []string{"chain"}},
		{"^ch", []string{"change", "chain"}},
		{"files|cold", []string{"cold", "files"}}, // in the order of the table
	} {
		picked, err := pick(b.groups(), c.pattern)
		if err != nil {
			t.Errorf("%q: %v", c.pattern, err)
		}
		var got []string
		for _, g := range picked {
			got = append(got, g.name)
		}
		if strings.Join(got, " ") != strings.Join(c.want, " ") {
			t.Errorf("%q picks %v, want %v", c.pattern, got, c.want)
		}
	}
	if _, err := pick(b.groups(), "colder"); err == nil || !strings.Contains(err.Error(), "decode, cold, sif, nothing") {
		t.Errorf("the error does not name what there is: %v", err)
	}
	if _, err := pick(b.groups(), "("); err == nil || !strings.Contains(err.Error(), "-rows") {
		t.Errorf("the error does not name the flag: %v", err)
	}
}
