package tree

import (
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// checkLinks looks after the files of lower layers that have several names. Where one was touched, or has a name that it did not have, nobody
// can tell what an overlay would have made of that: [ErrLinked]. It returns the names that came with a directory which was moved: what moves a
// directory in an overlay copies it, and so makes one file of those below it, which the others have no part in.
func (t *taker) checkLinks(root int) (split [][]string, err error) {
	if t.state.Apart {
		return nil, nil
	}
	for ino, paths := range t.links {
		origins := t.origins[ino]
		stray := slices.DeleteFunc(slices.Clone(paths), func(p string) bool { return slices.Contains(origins, p) })
		same, err := t.untouched(root, paths[0], origins[0])
		if err != nil {
			return nil, wrapPath(paths[0], err)
		}
		if !same {
			return nil, wrapPath(paths[0], ErrLinked)
		}
		moved := map[string][]string{}
		for _, p := range stray {
			dir, ok := t.movedWith(p, origins)
			if !ok {
				return nil, wrapPath(p, ErrLinked)
			}
			moved[dir] = append(moved[dir], p)
		}
		for _, names := range moved {
			split = append(split, names)
		}
	}
	return split, nil
}

// movedWith returns the directory that a name came with, from where it was.
func (t *taker) movedWith(path string, origins []string) (dir string, ok bool) {
	for dir := path; dir != ""; {
		dir, _ = layers.Split(dir)
		if was, ok := t.moved[dir]; ok && slices.Contains(origins, was+strings.TrimPrefix(path, dir)) {
			return dir, true
		}
	}
	return "", false
}

// untouched reports whether nothing was done to a file since it was copied: not even that one of its names went, which cannot be told from
// what was done by one name and undone by another.
func (t *taker) untouched(root int, path, origin string) (bool, error) {
	dir, name, err := openIn(root, path)
	if err != nil {
		return false, err
	}
	defer inode.CloseFD(dir)
	id, _, err := identify(dir, name)
	return err == nil && id.Changed == t.state.Files[origin].Changed, err
}

// split makes one file of its own of some names in the upper directory.
func (t *taker) split(upper int, names []string) error {
	slices.Sort(names)
	for i, path := range names {
		dir, name, err := openIn(upper, path)
		if err == nil {
			err = t.splitOne(upper, dir, name, names[0], i == 0)
			inode.CloseFD(dir)
		}
		if err != nil {
			return wrapPath(path, err)
		}
	}
	return nil
}

func (t *taker) splitOne(upper, dir int, name, first string, isFirst bool) error {
	const beside = ".xtoo-apart" // no script works here any more
	parent, err := inode.StatAt(dir, ".")
	if err != nil {
		return err
	}
	if isFirst {
		var st unix.Stat_t
		if st, err = inode.StatAt(dir, name); err != nil {
			return err
		}
		var h inode.Handle
		if h, err = inode.Open(dir, name, &st); err == nil {
			err = (&copier{ctx: t.ctx}).clone(h, dir, beside, &st)
			h.Close()
		}
	} else {
		err = linkIn(upper, first, dir, beside)
	}
	if err == nil {
		err = unix.Renameat(dir, beside, dir, name)
	}
	if err != nil {
		return err
	}
	return inode.RootHandle(dir).Chtimes(time.Unix(parent.Mtim.Unix()))
}
