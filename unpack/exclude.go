package unpack

import (
	"fmt"
	"path"
	"strings"
)

// pattern is one exclude pattern, cut at the slashes.
type pattern struct {
	text  string
	parts []string
	used  bool
	of    *pattern // the pattern this one was derived from, because of a symbolic link; nil if it was given
}

// CheckExclude verifies exclude patterns: see [CopyOptions]. Its error wraps [ErrPattern].
func CheckExclude(patterns []string) error {
	_, err := compileExclude(patterns)
	return err
}

func compileExclude(texts []string) ([]*pattern, error) {
	var all []*pattern
	for _, text := range texts {
		p, err := compilePattern(text)
		if err != nil {
			return nil, fmt.Errorf("%w %q: %w", ErrPattern, text, err)
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
	if len(patterns) == 0 || clean == "" {
		return false
	}
	names := strings.Split(clean, "/")
	found := false
	for _, p := range patterns {
		if matchPrefix(p.parts, names) {
			p.used, p.origin().used, found = true, true, true
		}
	}
	return found
}

// matchPrefix tells whether the pattern matches the first of the names, one or more of them. It keeps
// the set of places in the pattern that can be reached, so that its cost is bounded by the product of
// the lengths whatever the pattern.
func matchPrefix(parts, names []string) bool {
	at := make([]bool, len(parts)+1)
	at[0] = true
	for _, name := range names {
		// ** matches any number of names: also none, so that the place behind it is reached with it.
		for i, part := range parts {
			if at[i] && part == "**" {
				at[i+1] = true
			}
		}
		next := make([]bool, len(parts)+1)
		for i, part := range parts {
			if !at[i] {
				continue
			}
			if part == "**" {
				next[i] = true
				if i+1 == len(parts) {
					next[i+1] = true // at the end it takes at least one
				}
			} else if ok, err := path.Match(part, name); ok && err == nil {
				next[i+1] = true
			}
		}
		if next[len(parts)] {
			return true
		}
		at = next
	}
	return false
}
