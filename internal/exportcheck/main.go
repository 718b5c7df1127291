// Command exportcheck finds exported names that nothing outside of their package uses, tests aside: what is exported is
// what a reader must learn of a room, so nothing is that need not be. `make lint` runs it, from the project's root, with
// the build tags in GOFLAGS.
//
// Looked at are functions, types, constants, variables, methods and fields of the module's packages. Counted as used is
// also what another package needs without naming it: a method that an interface asks for, a field that is encoded (it has
// a tag), a constant whose type is used (it is one of several values), what stands in the declaration of a used name (the
// type of a field or parameter), and everything of a package that serves tests alone. What else may be without a user
// stands in a table, with the reason, and leaves it when it has one.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"go/token"
	"maps"
	"os"
	"slices"
	"strings"
)

func main() {
	unused, err := check(context.Background(), ".", exceptions())
	for _, u := range unused {
		fmt.Println(u)
	}
	if err == nil && len(unused) > 0 {
		err = errors.New("unexport them, or remove them")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "exportcheck:", err)
		os.Exit(1)
	}
}

// exceptions are the names that may be without a user, and why.
func exceptions() map[string]string {
	return map[string]string{}
}

// check returns a line for each exported name of the module in root that has no user outside of its package and is no
// exception, and for each exception that is none: its name has a user, or does not exist.
func check(ctx context.Context, root string, exceptions map[string]string) ([]string, error) {
	m, err := load(ctx, root, "./...")
	if err != nil {
		return nil, err
	}
	u := newUsage(m)
	var unused []token.Pos
	names := map[token.Pos]string{}
	needed := map[string]bool{}
	for _, n := range m.exported() {
		if u.used(n) {
			continue
		}
		if _, ok := exceptions[n.label()]; ok {
			needed[n.label()] = true
		} else {
			unused = append(unused, n.obj.Pos())
			names[n.obj.Pos()] = n.label()
		}
	}
	slices.SortFunc(unused, func(a, b token.Pos) int {
		x, y := m.fset.Position(a), m.fset.Position(b)
		return cmp.Or(strings.Compare(x.Filename, y.Filename), x.Line-y.Line)
	})
	var lines []string
	for _, pos := range unused {
		p := m.fset.Position(pos)
		lines = append(lines, fmt.Sprintf("%s:%d: %s is used by no other package", m.relative(p.Filename), p.Line, names[pos]))
	}
	for _, label := range slices.Sorted(maps.Keys(exceptions)) {
		if !needed[label] {
			lines = append(lines, fmt.Sprintf("%s needs to be no exception any more: it is used, or gone", label))
		}
	}
	return lines, nil
}
