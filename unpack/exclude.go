package unpack

import (
	"fmt"
	"path"
	"slices"
	"strings"
)

// pattern is one exclude pattern, cut at the slashes.
type pattern struct {
	text  string
	parts []string
	used  bool
	of    *pattern // the pattern this one was derived from, because of a symbolic link; nil if it was given
}

func compileExclude(texts []string) ([]*pattern, error) {
	var all []*pattern
	for _, text := range texts {
		p, err := compilePattern(text)
		if err != nil {
			return nil, fmt.Errorf("%w %q: %w", errPattern, text, err)
		}
		all = append(all, p)
	}
	return all, nil
}

func compilePattern(text string) (*pattern, error) {
	switch {
	case text == "":
		return nil, fmt.Errorf("it is empty")
	case text[0] != '/':
		return nil, fmt.Errorf("it does not begin with a slash")
	case text == "/":
		return nil, fmt.Errorf("it would exclude everything")
	case strings.HasSuffix(text, "/"):
		return nil, fmt.Errorf("it ends with a slash; without it, the directory and all below it are excluded")
	case strings.IndexByte(text, 0) >= 0:
		return nil, fmt.Errorf("it holds a zero byte")
	}
	p := &pattern{text: text, parts: strings.Split(text[1:], "/")}
	for i, part := range p.parts {
		switch {
		case part == "" || part == "." || part == "..":
			return nil, fmt.Errorf("%q between slashes", part)
		case part == "**":
			continue
		case strings.Contains(part, "**"):
			return nil, fmt.Errorf("** must stand alone between slashes")
		}
		part = strings.ReplaceAll(part, "[!", "[^") // as a shell writes it
		if _, err := path.Match(part, ""); err != nil {
			return nil, fmt.Errorf("%q does not parse", p.parts[i])
		}
		p.parts[i] = part
	}
	return p, nil
}

// excluded tells whether any pattern matches a clean path or a directory above it. All patterns are
// tried, to know which of them are of use.
func excluded(patterns []*pattern, clean string) bool {
	if clean == "" {
		return false
	}
	found := false
	for _, p := range patterns {
		if p.match(clean) {
			p.used, p.origin().used, found = true, true, true
		}
	}
	return found
}

// match tells whether the pattern matches a clean path or a directory above it.
func (p *pattern) match(clean string) bool {
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
