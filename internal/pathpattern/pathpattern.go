// Package pathpattern is the rule for patterns of paths in a root, as a project's `exclude` has them. It knows neither
// projects nor archives: those that write patterns and those that obey them share it.
//
//	/usr/src/linux-*     names within one directory: *, ? and [...], of names that begin with a dot as well
//	/**/__pycache__      at any depth: ** between slashes stands for any number of directories, none included
//	/usr/share/**        what is in a directory, without the directory itself
//
// What matches goes with everything below it.
package pathpattern

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// A Pattern matches clean paths, which have no slash at their beginning.
type Pattern struct {
	parts []string // between the slashes
}

// Parse reads a pattern. The error says what is wrong with it, and not which it is.
func Parse(text string) (Pattern, error) {
	switch {
	case text == "":
		return Pattern{}, errors.New("it is empty")
	case text[0] != '/':
		return Pattern{}, errors.New("it does not begin with a slash")
	case text == "/":
		return Pattern{}, errors.New("it would match everything")
	case strings.HasSuffix(text, "/"):
		return Pattern{}, errors.New("it ends with a slash; without it, the directory and all below it match")
	case strings.IndexByte(text, 0) >= 0:
		return Pattern{}, errors.New("it holds a zero byte")
	}
	p := Pattern{parts: strings.Split(text[1:], "/")}
	for i, part := range p.parts {
		switch {
		case part == "" || part == "." || part == "..":
			return Pattern{}, fmt.Errorf("%q between slashes", part)
		case part == "**":
			continue
		case strings.Contains(part, "**"):
			return Pattern{}, errors.New("** must stand alone between slashes")
		}
		part = strings.ReplaceAll(part, "[!", "[^") // as a shell writes it
		if _, err := path.Match(part, ""); err != nil {
			return Pattern{}, fmt.Errorf("%q does not parse", p.parts[i])
		}
		p.parts[i] = part
	}
	return p, nil
}

// Under returns the pattern for the same below another directory, if it leads through the directory from: what
// follows there is put behind to. Both are clean paths; of to nothing is taken for a pattern.
func (p Pattern) Under(from, to string) (Pattern, bool) {
	dir := strings.Split(from, "/")
	if len(p.parts) <= len(dir) || !slices.Equal(p.parts[:len(dir)], dir) {
		return Pattern{}, false
	}
	quote := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`)
	var parts []string
	for _, name := range strings.Split(to, "/") {
		parts = append(parts, quote.Replace(name))
	}
	return Pattern{append(parts, p.parts[len(dir):]...)}, true
}

// String returns the pattern as a text.
func (p Pattern) String() string { return "/" + strings.Join(p.parts, "/") }

// Dirs lists the directories that the pattern leads through, as they stand in it, topmost first.
func (p Pattern) Dirs() []string {
	var dirs []string
	for i := 1; i < len(p.parts); i++ {
		dirs = append(dirs, strings.Join(p.parts[:i], "/"))
	}
	return dirs
}

// Match tells whether the pattern matches a clean path or a directory above it.
func (p Pattern) Match(clean string) bool {
	if slices.Contains(p.parts, "**") {
		return matchDeep(p.parts, strings.Split(clean, "/"))
	}
	more := true
	for _, part := range p.parts {
		if !more {
			return false
		}
		var name string
		name, clean, more = strings.Cut(clean, "/")
		if !matchName(part, name) {
			return false
		}
	}
	return true
}

func matchName(part, name string) bool {
	ok, err := path.Match(part, name)
	return ok && err == nil
}

// matchDeep does the same for a pattern with **. It keeps the set of places in the pattern that can be
// reached, so that its cost is bounded by the product of the lengths whatever the pattern.
func matchDeep(parts, names []string) bool {
	at, next := make([]bool, len(parts)+1), make([]bool, len(parts)+1)
	at[0] = true
	for _, name := range names {
		clear(next)
		for i, part := range parts {
			switch {
			case !at[i]:
			case part != "**":
				next[i+1] = next[i+1] || matchName(part, name)
			default:
				// It stands for this name and more, or, unless it is the last, for none at all.
				next[i] = true
				if i+1 == len(parts) {
					next[i+1] = true
				} else {
					at[i+1] = true
				}
			}
		}
		if next[len(parts)] {
			return true
		}
		at, next = next, at
	}
	return false
}
