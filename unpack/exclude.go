package unpack

import (
	"fmt"

	"xtoo/internal/pathpattern"
)

// pattern is one exclude pattern.
type pattern struct {
	pathpattern.Pattern
	text string
	used bool
	of   *pattern // the pattern this one was derived from, because of a symbolic link; nil if it was given
}

func compileExclude(texts []string) ([]*pattern, error) {
	var all []*pattern
	for _, text := range texts {
		p, err := pathpattern.Parse(text)
		if err != nil {
			return nil, fmt.Errorf("%w %q: %w", errPattern, text, err)
		}
		all = append(all, &pattern{Pattern: p, text: text})
	}
	return all, nil
}

// excluded tells whether any pattern matches a clean path or a directory above it. All patterns are
// tried, to know which of them are of use.
func excluded(patterns []*pattern, clean string) bool {
	if clean == "" {
		return false
	}
	found := false
	for _, p := range patterns {
		if p.Match(clean) {
			p.used, p.origin().used, found = true, true, true
		}
	}
	return found
}
