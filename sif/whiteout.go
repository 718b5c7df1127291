package sif

import (
	"fmt"
	"strings"
)

// Names of the image specification's layer format ("Whiteouts" in layer.md).
const (
	whPrefix     = ".wh."
	whMetaPrefix = ".wh..wh." // reserved: opaque directories, and what AUFS kept for itself
	whOpaque     = ".wh..wh..opq"
)

type whKind uint8

const (
	whNone    whKind = iota // an ordinary member
	whPath                  // hides one path of the lower layers
	whDir                   // hides all that lower layers have in the directory
	whIgnored               // means nothing outside AUFS
)

type whiteout struct {
	kind whKind
	name string // whPath: the hidden name
}

// parseWhiteout says what a member of this clean name means.
func parseWhiteout(name string) (whiteout, error) {
	if !strings.Contains(name, whPrefix) {
		return whiteout{}, nil
	}
	dir, base := splitPath(name)
	for rest := dir; rest != ""; {
		var part string
		part, rest = firstName(rest)
		if strings.HasPrefix(part, whMetaPrefix) {
			return whiteout{kind: whIgnored}, nil
		}
		if strings.HasPrefix(part, whPrefix) {
			return whiteout{}, fmt.Errorf("%w: %q is a whiteout and cannot hold anything", ErrName, part)
		}
	}
	switch {
	case base == whOpaque:
		return whiteout{kind: whDir}, nil
	case strings.HasPrefix(base, whMetaPrefix):
		return whiteout{kind: whIgnored}, nil
	case !strings.HasPrefix(base, whPrefix):
		return whiteout{}, nil
	}
	hidden := base[len(whPrefix):]
	if hidden == "" || hidden == "." || hidden == ".." {
		return whiteout{}, fmt.Errorf("%w: whiteout of %q", ErrName, hidden)
	}
	return whiteout{kind: whPath, name: hidden}, nil
}

// firstName cuts the first name off a clean path.
func firstName(p string) (first, rest string) {
	first, rest, _ = strings.Cut(p, "/")
	return first, rest
}

// whiteout records a whiteout that the layer has in dir. It counts for lower layers only, so it may stand
// before or after what its own layer has at the same place.
func (m *merger) whiteout(dir string, wh whiteout) error {
	id, _, err := m.enter(dir)
	if err != nil {
		return err
	}
	if wh.kind == whDir {
		m.t.setOpaque(id, m.layer)
		return nil
	}
	if id, err = m.t.child(id, wh.name); err != nil {
		return err
	}
	m.t.setGone(id, m.layer)
	return nil
}
