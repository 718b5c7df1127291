package testutil

import (
	"crypto/sha256"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestGoldenNames: the table has what the tests of the source tree ask for, and nothing else.
func TestGoldenNames(t *testing.T) {
	asked := goldenCalls(t)
	if os.Getenv(GoldenVar) == "update" {
		err := updateGolden(func(g *golden) {
			g.lines = slices.DeleteFunc(g.lines, func(l goldenLine) bool { return asked[l.name] == "" })
		})
		if err != nil {
			t.Fatal(err)
		}
		t.Skip("the table is being written: XTOO_GOLDEN=update")
	}
	g, err := parseGolden(goldenTable)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range g.lines {
		if asked[l.name] == "" {
			t.Errorf("%s: no test asks for %q: remove the line", goldenFile, l.name)
		}
	}
	for name, where := range asked {
		if _, ok := g.find(name); !ok {
			t.Errorf("%s: no %q, which %s asks for", goldenFile, name, where)
		}
	}
}

// goldenCalls finds the calls of [Golden] in the source tree: by name, the place of the call.
func goldenCalls(t *testing.T) map[string]string {
	t.Helper()
	root, err := sourceRoot()
	if err != nil {
		t.Fatal(err)
	}
	asked := map[string]string{}
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case e.IsDir() && path != root && (strings.HasPrefix(e.Name(), ".") || e.Name() == "vendor"):
			return fs.SkipDir
		case e.IsDir() || !strings.HasSuffix(path, "_test.go"):
			return nil
		}
		files := token.NewFileSet()
		f, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(f, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || !isGolden(call.Fun) {
				return true
			}
			where := files.Position(call.Pos()).String()
			name := ""
			if len(call.Args) == 3 {
				if l, ok := call.Args[1].(*ast.BasicLit); ok {
					name, _ = strconv.Unquote(l.Value) // "" is reported below
				}
			}
			if name == "" {
				t.Errorf("%s: the name of a golden digest must be written out", where)
			} else if asked[name] != "" {
				t.Errorf("%s: the golden digest %q is asked for at %s, too", where, name, asked[name])
			}
			asked[name] = where
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(asked) == 0 {
		t.Fatal("no test asks for a golden digest: this test reads the source tree wrongly")
	}
	return asked
}

func isGolden(fun ast.Expr) bool {
	s, ok := fun.(*ast.SelectorExpr)
	if !ok || s.Sel.Name != "Golden" {
		return false
	}
	x, ok := s.X.(*ast.Ident)
	return ok && x.Name == "testutil"
}

// changelogGolden is a line of CHANGELOG.md that says why the table is another one than before.
var changelogGolden = regexp.MustCompile(`(?m)^(?:- )?golden ([0-9a-f]{12}): (\S.{9,})$`)

// TestGoldenIsInTheChangelog: who changes the table says in CHANGELOG.md what changed for whom, in a line that names the table.
func TestGoldenIsInTheChangelog(t *testing.T) {
	root, err := sourceRoot()
	if err != nil {
		t.Fatal(err)
	}
	log, err := os.ReadFile(filepath.Join(root, "CHANGELOG.md"))
	if err != nil {
		t.Fatal(err)
	}
	sum := fmt.Sprintf("%x", sha256.Sum256([]byte(goldenTable)))[:12]
	newest := changelogGolden.FindSubmatch(log) // the first: what is newest stands on top
	if newest == nil || string(newest[1]) != sum {
		t.Errorf("%s has changed: CHANGELOG.md wants a line above the other golden lines, \"- golden %s: what changed for whom\"", goldenFile, sum)
	}
}

func TestParseGoldenRefuses(t *testing.T) {
	line := func(name string) string { return name + " sha256:" + strings.Repeat("0", 64) + "\n" }
	g, err := parseGolden("# head\n" + line("a") + line("b"))
	if err != nil || g.String() != "# head\n"+line("a")+line("b") {
		t.Errorf("%v, %v", g, err)
	}
	for _, text := range []string{line("b") + line("a"), line("a") + line("a"), "a\n", "a sha256:00\n", "\n", line("a") + "# behind\n"} {
		if _, err := parseGolden(text); err == nil {
			t.Errorf("no error from %q", text)
		}
	}
}
