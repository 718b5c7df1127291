package main

import (
	"strings"
	"testing"
	"time"
)

func TestMedian(t *testing.T) {
	m := median([]sample{
		{wall: 5 * time.Second, cpu: time.Second, rss: 1},
		{wall: time.Second, cpu: 2 * time.Second, rss: 9},
		{wall: 2 * time.Second, cpu: 7 * time.Second, rss: 3},
	})
	// Each figure has a median of its own: the runs of the others may be different ones.
	if want := (sample{wall: 2 * time.Second, cpu: 2 * time.Second, rss: 9}); m != want {
		t.Errorf("median is %+v, want %+v", m, want)
	}
	if m := median(nil); m != (sample{}) {
		t.Errorf("median of nothing is %+v", m)
	}
}

// TestInTurn: one after the other, each with its own median, and nothing for those that are missing.
func TestInTurn(t *testing.T) {
	var order strings.Builder
	measure := func(name string, walls ...time.Duration) measurer {
		return func(i int) (sample, error) {
			order.WriteString(name)
			return sample{wall: walls[i]}, nil
		}
	}
	b := &bench{options: options{runs: 3}}
	m, err := b.inTurn(measure("a", 3, 1, 2), nil, measure("b", 30, 10, 50))
	if err != nil || len(m) != 3 || m[0].wall != 2 || m[1] != (sample{}) || m[2].wall != 30 {
		t.Errorf("%+v, %v", m, err)
	}
	if order.String() != "ababab" {
		t.Errorf("measured in the order %s", &order)
	}
}

func cell(t *testing.T, r row) string {
	t.Helper()
	var out strings.Builder
	if err := (&bench{}).print(&out, []row{r}); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

func TestTable(t *testing.T) {
	p := pair{
		sample{wall: 9 * time.Second, cpu: 2 * time.Second, rss: 40e6},
		sample{wall: 10 * time.Second, cpu: 8 * time.Second, rss: 90e6},
	}
	ours := pair{ours: p.ours}
	double := pair{
		sample{wall: 18 * time.Second, cpu: 6 * time.Second},
		sample{wall: 25 * time.Second, cpu: 16 * time.Second},
	}
	for _, c := range []struct {
		r    row
		want string
	}{
		{compare(wall, "a", "tool", p, 1, ""), "| a | wall | 9.000 s | tool: 10.000 s | 0.90 × | ≤ 1 × | PASS |"},
		{compare(wall, "a", "tool", p, 0.35, ""), "| 0.90 × | ≤ 0.35 × | MISS |"},
		{compare(wall, "a", "tool", pair{}, 0.35, "pigz"), "| wall | – | tool | – | ≤ 0.35 × | no pigz |"},
		{compare(cpu, "a", former, p, 0.4, ""), "| CPU | 2.000 s | the program before: 8.000 s | 0.25 × | ≤ 0.40 × | PASS |"},
		{compare(cpu, "a", former, ours, 0.4, flagBase), "| CPU | 2.000 s | the program before | – | ≤ 0.40 × | no -base PROGRAM |"},
		{bound(wall, "a", p, 0.1), "| wall | 9.000 s | the program before: 10.000 s | 9.000 s | ≤ 0.10 s | MISS |"},
		{bound(memory, "a", p, 50), "| memory | 40.0 MB | the program before: 90.0 MB | 40 MB | ≤ 50 MB | PASS |"},
		{bound(memory, "a", ours, 50), "| memory | 40.0 MB | no -base PROGRAM | 40 MB | ≤ 50 MB | PASS |"},
		{growth(wall, "a", "with 1", p, double, 2.2), "| wall | 18.000 s | with 1: 9.000 s; the program before: 25.000 s, 10.000 s: 2.50 × | 2.00 × | ≤ 2.20 × | PASS |"},
		{growth(cpu, "a", "with 1", p, double, 2.2), "| CPU | 6.000 s | with 1: 2.000 s; the program before: 16.000 s, 8.000 s: 2.00 × | 3.00 × | ≤ 2.20 × | MISS |"},
		{growth(cpu, "a", "with 1", ours, pair{ours: double.ours}, 3), "| with 1: 2.000 s; no -base PROGRAM | 3.00 × | ≤ 3 × | PASS |"},
	} {
		if got := cell(t, c.r); !strings.Contains(got, c.want) {
			t.Errorf("want %s in\n%s", c.want, got)
		}
	}
}

// TestChangeRows: the script's own time counts in the first row alone.
func TestChangeRows(t *testing.T) {
	of := func(ms int) sample { return sample{wall: time.Duration(ms) * time.Millisecond} }
	rows := changeRows("a", of(90), of(100), of(210), of(40))
	for i, want := range []string{
		"| a | wall | 0.090 s | the script's own time, nearly nothing | 0.090 s | ≤ 0.20 s | PASS |",
		"| the same | wall | 0.090 s | on the mini stage3: 0.100 s | 0.90 × | ≤ 1.30 × | PASS |",
		"| wall | 0.050 s | the program before: 0.170 s; the script: 0.040 s | 0.050 s | ≤ 0.06 s | PASS |",
	} {
		if got := cell(t, rows[i]); !strings.Contains(got, want) {
			t.Errorf("want %s in\n%s", want, got)
		}
	}
	if got := cell(t, changeRows("a", of(90), of(100), sample{}, of(40))[2]); !strings.Contains(got, "| no -base PROGRAM; the script: 0.040 s | 0.050 s |") {
		t.Errorf("without the program before:\n%s", got)
	}
}
