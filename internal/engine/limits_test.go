package engine_test

import (
	"fmt"
	"strings"
	"testing"

	"xtoo/internal/engine"
)

// More layers than can be used are said before a script runs, and once.
func TestManyLayersAreSaid(t *testing.T) {
	for nodes, want := range map[int]string{126: "", 127: "docker and podman take 127", 150: "docker and podman", 151: "executed on 150 at most"} {
		config := stage3 + "scripts:\n"
		for i := range nodes {
			config += fmt.Sprintf("  - {name: n%d, run: exit 1}\n", i) // the first one ends it
		}
		b := newBench(t, map[string]string{"top": config})
		if _, err := engine.Build(t.Context(), b.plan(), b.o); err == nil {
			t.Fatal("it does not fail")
		}
		got := strings.Join(b.happened(engine.EventWarning), "")
		if (want == "") != (got == "") || !strings.Contains(got, want) || strings.Count(got, "top may get") > 1 {
			t.Errorf("%d nodes: %q, want %q", nodes, got, want)
		}
	}
}
