package nearest

import (
	"reflect"
	"testing"
)

func TestDistance(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want int
	}{
		{"", "", 0}, {"", "abc", 3}, {"abc", "", 3}, {"abc", "abc", 0},
		{"scrips", "scripts", 1}, {"scirpts", "scripts", 1}, {"kitten", "sitting", 3}, {"größe", "grösse", 2},
	} {
		if got := distance(c.a, c.b); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.a, c.b, got, c.want)
		}
		if got := distance(c.b, c.a); got != c.want {
			t.Errorf("Distance(%q, %q) = %d, want %d", c.b, c.a, got, c.want)
		}
	}
}

func TestFind(t *testing.T) {
	keys := []string{"type", "stage3", "from", "exclude", "values", "volumes", "network", "scripts", "image", "outputs"}
	for _, c := range []struct {
		word string
		want []string
	}{
		{"scrips", []string{"scripts"}},
		{"Scripts", []string{"scripts"}},
		{"stage", []string{"stage3"}},
		{"valumes", []string{"values", "volumes"}},
		{"", nil},
		{"zzzzzz", nil},
	} {
		got := find(c.word, keys)
		if len(got) > 1 {
			// Only membership of the near ones matters, not the order among equals.
			if !reflect.DeepEqual(got, c.want) && !reflect.DeepEqual([]string{got[1], got[0]}, c.want) {
				t.Errorf("Find(%q) = %q, want %q", c.word, got, c.want)
			}
			continue
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("Find(%q) = %q, want %q", c.word, got, c.want)
		}
	}
	if got := DidYouMean("scrips", keys); got != `: did you mean "scripts"?` {
		t.Errorf("DidYouMean: %s", got)
	}
	if got := DidYouMean("zzzzzz", keys); got != "" {
		t.Errorf("DidYouMean of nothing near: %s", got)
	}
}
