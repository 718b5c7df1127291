package unpack

import (
	"path"
	"slices"
	"strings"
)

// maxAliases bounds how many patterns may be derived from those that were given.
const maxAliases = 256

// alias follows a symbolic link for the patterns that lead through it: where /lib is a link to usr/lib, the pattern
// /lib/modules/* is meant for what lies below /usr/lib/modules. Such a pattern gets a companion with the link's target in place of the
// link. Where members below the target went by already, it comes too late: see [Summary.LateExcludes].
func (c *copier) alias(link, target string) {
	if len(c.patterns) == 0 {
		return
	}
	c.links[link] = target
	dir := path.Join("/", path.Dir("/"+link))
	if path.IsAbs(target) {
		dir = "/"
	}
	// As chroot(2) does it, ".." at the root stays there.
	to := strings.TrimPrefix(path.Join(dir, target), "/")
	if to == "" || to == link {
		return
	}
	for _, p := range c.patterns {
		if len(c.patterns) >= maxAliases {
			return
		}
		companion, ok := p.Under(link, to)
		if !ok {
			continue
		}
		text := companion.String()
		if slices.ContainsFunc(c.patterns, func(q *pattern) bool { return q.text == text }) {
			continue
		}
		c.patterns = append(c.patterns, &pattern{Pattern: companion, text: text, of: p.origin()})
		if k := c.paths.seen[c.paths.key(to)] &^ kindExcluded; k == kindDir || k == kindImplied {
			c.sum.LateExcludes = append(c.sum.LateExcludes, text)
		}
		for _, dir := range companion.Dirs() { // the companion may lead through a link that went by already
			if next, ok := c.links[dir]; ok {
				c.alias(dir, next)
			}
		}
	}
}

// origin is the pattern that was given.
func (p *pattern) origin() *pattern {
	if p.of != nil {
		return p.of
	}
	return p
}
