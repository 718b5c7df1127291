package main

import (
	"context"
	"fmt"
	"regexp"
	"strings"
)

// A group is what is measured together, for one row or several.
type group struct {
	name string
	rows func(ctx context.Context) ([]row, error)
}

// groups are all of them, in the order of the table.
func (b *bench) groups() []group {
	return []group{
		{"decode", b.decode},
		{"cold", b.cold},
		{"sif", b.sif},
		{"nothing", b.nothing},
		{"forest", b.forest},
		{"change", b.change},
		{"chain", b.chain},
		{"layers", b.layers},
		{"files", b.files},
		{"emulation", b.emulation},
		{"oneid", b.oneID},
	}
}

// pick returns the groups whose names match a regular expression, all of them for the empty one. None is an error.
func pick(all []group, pattern string) ([]group, error) {
	re, err := regexp.Compile(pattern)
	if err != nil {
		return nil, fmt.Errorf("-rows: %w", err)
	}
	var picked []group
	var names []string
	for _, g := range all {
		names = append(names, g.name)
		if re.MatchString(g.name) {
			picked = append(picked, g)
		}
	}
	if len(picked) == 0 {
		return nil, fmt.Errorf("-rows %s: it matches none of %s", pattern, strings.Join(names, ", "))
	}
	return picked, nil
}
