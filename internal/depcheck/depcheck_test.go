package depcheck

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

// direct returns the module paths that go.mod requires without "// indirect".
func direct(t *testing.T, gomod string) map[string]bool {
	t.Helper()
	data, err := os.ReadFile(gomod)
	if err != nil {
		t.Fatal(err)
	}
	modules := map[string]bool{}
	inRequire := false
	for line := range strings.Lines(string(data)) {
		line = strings.TrimSpace(line)
		switch {
		case line == "require (":
			inRequire = true
			continue
		case line == ")":
			inRequire = false
			continue
		case strings.HasPrefix(line, "require "):
			line = strings.TrimPrefix(line, "require ")
		case !inRequire:
			continue
		}
		if fields := strings.Fields(line); len(fields) == 2 { // an indirect one has a comment behind
			modules[fields[0]] = true
		}
	}
	if len(modules) == 0 {
		t.Fatalf("%s requires nothing: this test reads it wrongly", gomod)
	}
	return modules
}

// row is a line of the table in docs/dependencies.md: | `module` | reason | …
var row = regexp.MustCompile("(?m)^\\|\\s*\\[?`([^`]+)`[^|]*\\|([^|]*)\\|")

func TestEveryDirectDependencyHasAReason(t *testing.T) {
	doc, err := os.ReadFile("../../docs/dependencies.md")
	if err != nil {
		t.Fatal(err)
	}
	reasons := map[string]string{}
	for _, m := range row.FindAllStringSubmatch(string(doc), -1) {
		reasons[m[1]] = strings.TrimSpace(m[2])
	}
	modules := direct(t, "../../go.mod")
	for m := range modules {
		if len(reasons[m]) < 10 {
			t.Errorf("go.mod requires %s: docs/dependencies.md has no row with the reason for it", m)
		}
	}
	for m := range reasons {
		if !modules[m] {
			t.Errorf("docs/dependencies.md has a row for %s, which go.mod does not require directly", m)
		}
	}
}
