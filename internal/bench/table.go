package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"
)

// row is a line of the table: a figure against its limit.
type row struct {
	what, ours, theirs string
	figure, limit      float64
	unit               string
	missing            string // the program without which there is no figure
}

// compare makes the row of two wall times.
func compare(what, name string, p pair, limit float64, missing string) row {
	r := row{what: what, ours: seconds(p.ours.wall), theirs: name, limit: limit, unit: "×", missing: missing}
	if missing == "" {
		r.theirs += ": " + seconds(p.theirs.wall)
		r.figure = p.ours.wall.Seconds() / p.theirs.wall.Seconds()
	}
	return r
}

// memoryLimit is what no build may need more of, in MB (10^6 bytes).
const memoryLimit = 300

// memory is the row of the largest resident set of all builds.
func (b *bench) memory() row {
	return row{"peak memory of any of these", megabytes(b.peak), "in: " + b.peakWhat, float64(b.peak) / 1e6, memoryLimit, "MB", ""}
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
	return []string{r.what, r.ours, r.theirs, figure, "≤ " + strings.TrimSuffix(fmt.Sprintf("%.2f", r.limit), ".00") + " " + r.unit, r.verdict()}
}

// print writes the table, with what one must know to read it.
func (b *bench) print(w io.Writer, rows []row) error {
	var t strings.Builder
	fmt.Fprintf(&t, "%d cores, %s/%s, user %d, median of %d runs\n\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, os.Geteuid(), b.runs)
	for _, s := range []struct{ label, path string }{{"full", b.full}, {"mini", b.mini}, {"arm", b.arm}} {
		if info, err := os.Stat(s.path); err == nil {
			fmt.Fprintf(&t, "%s stage3: `%s`, %s\n", s.label, filepath.Base(s.path), megabytes(info.Size()))
		}
	}
	if b.demo {
		t.WriteString("\n**With the demo's stage3 for both: figures to see that it works, not to judge by.**\n")
	}
	t.WriteString("\n| what | xtoo | compared with | figure | limit | |\n|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&t, "| %s |\n", strings.Join(r.cells(), " | "))
	}
	_, err := io.WriteString(w, t.String())
	return err
}

func seconds(d time.Duration) string { return fmt.Sprintf("%.3f s", d.Seconds()) }

func megabytes(n int64) string { return fmt.Sprintf("%.1f MB", float64(n)/1e6) }
