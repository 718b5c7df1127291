package unpack

import (
	"fmt"
	"hash/maphash"
	"strings"
)

// kind is what a path of the stream is.
type kind uint8

const (
	kindImplied  kind = iota + 1 // a directory that has no member (yet), but members below it
	kindDir                      // a directory
	kindFile                     // a regular file
	kindLink                     // a symbolic link
	kindOther                    // a device or a fifo
	kindExcluded kind = 0x80     // added to the others: not in the output
)

func (k kind) String() string {
	return map[kind]string{kindImplied: "a directory", kindDir: "a directory", kindFile: "a file",
		kindLink: "a symbolic link", kindOther: "a device or fifo"}[k&^kindExcluded]
}

// key stands for a clean path. Paths are kept as keyed hashes of 128 bits: a million of them take some
// 50 MB whatever their length, and nobody who makes a tar can know two that collide.
type key [2]uint64

// paths remembers the members that have been seen.
type paths struct {
	seeds  [2]maphash.Seed
	seen   map[key]kind
	parent string // verified last
}

func newPaths() *paths {
	return &paths{seeds: [2]maphash.Seed{maphash.MakeSeed(), maphash.MakeSeed()}, seen: make(map[key]kind)}
}

func (p *paths) key(clean string) key {
	return key{maphash.String(p.seeds[0], clean), maphash.String(p.seeds[1], clean)}
}

// add takes a path into account: it may be there only once, and above it there may only be directories.
func (p *paths) add(clean string, k kind) error {
	if err := p.checkParents(clean); err != nil {
		return err
	}
	id := p.key(clean)
	switch old := p.seen[id] &^ kindExcluded; {
	case old == kindImplied && k&^kindExcluded != kindDir:
		return fmt.Errorf("%s, but earlier members lie below it", k)
	case old == kindDir && k&^kindExcluded == kindDir:
		return fmt.Errorf("the directory is in the archive twice")
	case old != 0 && old != kindImplied:
		return fmt.Errorf("duplicate: %s of the same name came before", old)
	}
	p.seen[id] = k
	return nil
}

// checkParents verifies, and remembers, that every directory above a path is or can be one.
func (p *paths) checkParents(clean string) error {
	i := strings.LastIndexByte(clean, '/')
	if i < 0 || clean[:i] == p.parent {
		return nil
	}
	parent := clean[:i]
	for end := 0; end < len(parent); {
		next := strings.IndexByte(parent[end+1:], '/')
		if next < 0 {
			end = len(parent)
		} else {
			end += 1 + next
		}
		dir := parent[:end]
		id := p.key(dir)
		switch k := p.seen[id] &^ kindExcluded; k {
		case kindDir, kindImplied:
		case 0:
			p.seen[id] = kindImplied
		default:
			return fmt.Errorf("%q above it is %s of this archive", dir, k)
		}
	}
	p.parent = strings.Clone(parent)
	return nil
}

// target looks a hard link's target up: its kind, which is the link's own too. Anything but a directory may have
// several names. excluded says that the target is not in the output.
func (p *paths) target(clean string) (k kind, excluded bool, err error) {
	k = p.seen[p.key(clean)]
	excluded = k&kindExcluded != 0
	switch k &= ^kindExcluded; k {
	case 0:
		return 0, false, fmt.Errorf("hard link to %q, which is not in the archive before it", clean)
	case kindDir, kindImplied:
		return 0, false, fmt.Errorf("hard link to %q, which is %s", clean, k)
	}
	return k, excluded, nil
}
