package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

// row is a line of the table: a figure against its limit.
type row struct {
	what          string
	kind          kind
	ours, theirs  string
	figure, limit float64
	unit          string
	missing       string // the program or flag without which there is no figure
}

// compare makes the row of two times; missing is what there is nothing to compare with without.
func compare(k kind, what, name string, p pair, limit float64, missing string) row {
	r := row{what: what, kind: k, ours: p.ours.text(k), theirs: name, limit: limit, unit: "×", missing: missing}
	if missing == "" {
		r.theirs += ": " + p.theirs.text(k)
		r.figure = p.ours.figure(k) / p.theirs.figure(k)
	}
	return r
}

// bound makes the row of a figure that has a limit in seconds or MB; the program before stands beside it for whoever
// reads the table.
func bound(k kind, what string, p pair, limit float64) row {
	r := row{what: what, kind: k, ours: p.ours.text(k), theirs: than(p.theirs.text(k)), figure: p.ours.figure(k), limit: limit, unit: "s"}
	if k == memory {
		r.unit = "MB"
	}
	if p.theirs == (sample{}) {
		r.theirs = "no " + flagBase
	}
	return r
}

// growth makes the row of how much more many of something cost than few; label says how many few are.
func growth(k kind, what, label string, few, many pair, limit float64) row {
	r := row{what: what, kind: k, ours: many.ours.text(k), limit: limit, unit: "×"}
	r.figure = many.ours.figure(k) / few.ours.figure(k)
	r.theirs = label + ": " + few.ours.text(k) + "; "
	if many.theirs == (sample{}) {
		r.theirs += "no " + flagBase
		return r
	}
	ratio := many.theirs.figure(k) / few.theirs.figure(k)
	r.theirs += than(fmt.Sprintf("%s, %s: %.2f ×", many.theirs.text(k), few.theirs.text(k), ratio))
	return r
}

// flagBase is the flag that the program before is named with, as the table has it where it is missing.
const flagBase = "-base PROGRAM"

// former names the program before in the table.
const former = "the program before"

func than(figure string) string { return former + ": " + figure }

// lacksBase names what there is no program before without, or "".
func (b *bench) lacksBase() string {
	if b.base == "" {
		return flagBase
	}
	return ""
}

// memoryLimit is what no build may need more of, in MB (10^6 bytes).
const memoryLimit = 300

// memory is the row of the largest resident set of all builds.
func (b *bench) memory() row {
	return row{
		what: "peak memory of any of these", kind: memory, ours: megabytes(b.peak), theirs: "in: " + b.peakWhat,
		figure: float64(b.peak) / 1e6, limit: memoryLimit, unit: "MB",
	}
}

func (r row) missed() bool { return r.missing == "" && r.figure > r.limit }

func (r row) verdict() string {
	switch {
	case r.missing != "":
		return "no " + r.missing
	case r.missed():
		return "MISS"
	}
	return "PASS"
}

// cells are the columns as print has them.
func (r row) cells() []string {
	figure := fmt.Sprintf("%.2f %s", r.figure, r.unit)
	switch r.unit {
	case "MB":
		figure = fmt.Sprintf("%.0f MB", r.figure)
	case "s":
		figure = fmt.Sprintf("%.3f s", r.figure)
	}
	if r.missing != "" {
		figure = "–"
	}
	limit := "≤ " + strings.TrimSuffix(fmt.Sprintf("%.2f", r.limit), ".00") + " " + r.unit
	return []string{r.what, string(r.kind), r.ours, r.theirs, figure, limit, r.verdict()}
}

// print writes the table, with what one must know to read it.
func (b *bench) print(w io.Writer, rows []row) error {
	var t strings.Builder
	fmt.Fprintf(&t, "%d cores, %s/%s, user %d, median of %d runs\n\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, os.Geteuid(), b.runs)
	for _, s := range []struct{ label, path string }{{"full", b.full}, {"mini", b.mini}, {"arm", b.arm}, {"demo's", b.demoFile}} {
		if info, err := os.Stat(s.path); err == nil {
			fmt.Fprintf(&t, "%s stage3: `%s`, %s\n", s.label, filepath.Base(s.path), megabytes(info.Size()))
		}
	}
	if b.demo {
		t.WriteString("\n**With the demo's stage3 for both: figures to see that it works, not to judge by.**\n")
	}
	t.WriteString("\n| what | measured | xtoo | compared with | figure | limit | |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&t, "| %s |\n", strings.Join(r.cells(), " | "))
	}
	_, err := io.WriteString(w, t.String())
	return err
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
