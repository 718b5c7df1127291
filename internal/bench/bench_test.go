package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	m := median([]sample{{5 * time.Second, 1}, {time.Second, 9}, {2 * time.Second, 3}})
	if m.wall != 2*time.Second || m.rss != 9 {
		t.Errorf("median is %+v", m)
	}
	if m := median(nil); m != (sample{}) {
		t.Errorf("median of nothing is %+v", m)
	}
}

func TestTable(t *testing.T) {
	p := pair{sample{wall: 9 * time.Second}, sample{wall: 10 * time.Second}}
	for _, c := range []struct {
		r    row
		want string
	}{
		{compare("a", "tool", p, 1, ""), "| a | 9.000 s | tool: 10.000 s | 0.90 × | ≤ 1 × | PASS |"},
		{compare("a", "tool", p, 0.35, ""), "| 0.90 × | ≤ 0.35 × | MISS |"},
		{compare("a", "tool", p, 0.35, "pigz"), "| tool | – | ≤ 0.35 × | no pigz |"},
	} {
		var out strings.Builder
		if err := (&bench{}).print(&out, []row{c.r}); err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(out.String(), c.want) {
			t.Errorf("want %s in\n%s", c.want, out.String())
		}
	}
}

func TestCommand(t *testing.T) {
	s, err := command(t.Context(), t.TempDir(), []string{"A=b"}, "sh", "-c", `test "$A" = b && sleep 0.05`)
	if err != nil || s.wall < 50*time.Millisecond || s.rss <= 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if _, err := command(t.Context(), "", nil, "sh", "-c", "echo why >&2; exit 3"); err == nil || !strings.Contains(err.Error(), "why") {
		t.Errorf("the error does not say why: %v", err)
	}
}
