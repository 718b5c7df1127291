package testutil

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
)

// GoldenVar names the environment variable that, set to "update", makes [Golden] write the table instead of comparing with it.
const GoldenVar = "XTOO_GOLDEN"

// goldenFile is the table in the source tree; goldenTable is the one that the test was compiled with.
const goldenFile = "internal/testutil/golden.txt"

//go:embed golden.txt
var goldenTable string

// Golden fails unless d is what the table of golden digests has under name. The names that a test asks for are
// written out where it calls: a test of this package compares them with the table's.
func Golden(t testing.TB, name string, d digest.Digest) {
	t.Helper()
	if os.Getenv(GoldenVar) == "update" {
		if err := updateGolden(func(g *golden) { g.set(name, d) }); err != nil {
			t.Fatal(err)
		}
		return
	}
	g, err := parseGolden(goldenTable)
	if err != nil {
		t.Fatal(err)
	}
	switch i, ok := g.find(name); {
	case !ok:
		t.Errorf("%s: no %q in it; this one is %s", goldenFile, name, d)
	case g.lines[i].digest != d:
		t.Errorf("%s has changed:\n is     %s\n golden %s\nimages that were built before are built differently now: see CONTRIBUTING.md", name, d, g.lines[i].digest)
	}
}

// A golden is the table as it was read.
type golden struct {
	head  string // comments, to the end of their last line
	lines []goldenLine
}

type goldenLine struct {
	name   string
	digest digest.Digest
}

// parseGolden reads a table. Its lines are sorted by name, and no name stands twice.
func parseGolden(text string) (*golden, error) {
	g := &golden{}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, "#") && len(g.lines) == 0 {
			g.head += line
			continue
		}
		name, d, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		l := goldenLine{name, digest.Digest(d)}
		if err := l.digest.Validate(); err != nil || name == "" {
			return nil, fmt.Errorf("%s: line %q: want a name and a digest", goldenFile, line)
		}
		if n := len(g.lines); n > 0 && g.lines[n-1].name >= name {
			return nil, fmt.Errorf("%s: %q stands behind %q: sort it, each name once", goldenFile, name, g.lines[n-1].name)
		}
		g.lines = append(g.lines, l)
	}
	return g, nil
}

func (g *golden) find(name string) (int, bool) {
	return slices.BinarySearchFunc(g.lines, name, func(l goldenLine, name string) int { return cmp.Compare(l.name, name) })
}

func (g *golden) set(name string, d digest.Digest) {
	i, ok := g.find(name)
	if !ok {
		g.lines = slices.Insert(g.lines, i, goldenLine{name: name})
	}
	g.lines[i].digest = d
}

func (g *golden) String() string {
	var b strings.Builder
	b.WriteString(g.head)
	for _, l := range g.lines {
		fmt.Fprintf(&b, "%s %s\n", l.name, l.digest)
	}
	return b.String()
}

// updateGolden changes the table in the source tree. Tests of several packages run side by side, so it is locked meanwhile.
func updateGolden(change func(*golden)) (err error) {
	root, err := sourceRoot()
	if err != nil {
		return err
	}
	f, err := os.OpenFile(filepath.Join(root, goldenFile), os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		return fmt.Errorf("lock %s: %w", f.Name(), err)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		return err
	}
	g, err := parseGolden(string(text))
	if err != nil {
		return err
	}
	change(g)
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err = f.WriteAt([]byte(g.String()), 0)
	return err
}

// sourceRoot is the directory of go.mod: `go test` runs a test in the directory of its package.
func sourceRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", errors.New("no go.mod in the working directory or above it: run the test in the source tree")
		}
		dir = filepath.Dir(dir)
	}
}
