package projects

import (
	"strings"
	"testing"
	"time"

	"xtoo/internal/testutil"
)

// TestHostile: the largest and most twisted files that are allowed are answered at once.
func TestHostile(t *testing.T) {
	size := MaxConfigSize - 100
	if !testutil.IsLong() {
		size /= 4
	}
	full := func(unit string) string { return strings.Repeat(unit, size/len(unit)) }
	bomb := "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c < 'k'; c++ {
		prev := string(c - 1)
		bomb += string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+prev+", ", 10) + "]\n"
	}
	for name, config := range map[string]string{
		"brackets":        full("["),
		"braces":          full("{a: "),
		"dashes":          full("- "),
		"questions":       full("? "),
		"keys":            "env: {" + full("a: b, ") + "}",
		"comments":        full("#\n"),
		"blank":           full(" "),
		"newlines":        full("\n"),
		"aliases":         "x: &a b\nexclude: [" + full("*a, ") + "]",
		"bomb":            bomb + "exclude: *j\n",
		"holds itself":    "scripts: &a [{name: x, run: y, scripts: *a}]",
		"items":           "exclude: [" + full("/a,") + "]",
		"templates":       "scripts: [{name: a, run: '" + full("{{ .arch }}") + "'}]",
		"nested template": "scripts: [{name: a, run: '" + strings.Repeat("{{ if .arch }}", 50_000) + "'}]",
		"parentheses":     "scripts: [{name: a, run: '{{ " + strings.Repeat("(", 500_000) + "'}]",
		"unknown keys":    strings.Repeat("k", 1000) + full("\n") + ": 1",
		"long key":        full("k") + ": 1",
		"anchors":         full("&a "),
		"quotes":          "type: \"" + full(`\x41`) + "\"",
	} {
		start := time.Now()
		tree, err := inMemory("from: scratch\n" + config)
		if err != nil && len(err.Error()) > 100_000 {
			t.Errorf("%s: the error has %d bytes", name, len(err.Error()))
		}
		if err == nil {
			// Only to see that it ends.
			_, _ = tree.Resolve(tree.projects, Given{})
		}
		took := time.Since(start)
		t.Logf("%s: %v, error %v", name, took.Round(time.Millisecond), err != nil)
		if took > 20*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
	}
}
