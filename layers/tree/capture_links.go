package tree

import (
	"fmt"
	"path"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// A group is a file of the upper directory that has several names there. Making a name is a change, so none
// of a group is left out as unchanged, unless the lower layers have the same names for one file as well.
type group struct {
	names []string // of the file in the upper directory
	equal int      // how many of them are equal to the lower layers'
	was   map[inodeID]bool
}

// compared takes the comparison of one of the names with the lower layers.
func (g *group) compared(same bool, was *mergedEntry) {
	if !same {
		return
	}
	g.equal++
	if g.was == nil {
		g.was = map[inodeID]bool{}
	}
	g.was[inodeID{was.st.Dev, was.st.Ino}] = true
}

// findLinks finds the files that have several names below dir.
func (c *capturer) findLinks(dir int, path string) error {
	found := map[inodeID][]string{}
	if err := c.scan(dir, path, found); err != nil {
		return err
	}
	for id, names := range found {
		// A single one has its other names elsewhere: in overlayfs's index.
		if len(names) > 1 {
			c.groups[id] = &group{names: names}
		}
	}
	return nil
}

func (c *capturer) scan(dir int, path string, found map[inodeID][]string) error {
	names, err := inode.ReadNames(dir)
	if err != nil {
		return wrapPath(path, err)
	}
	for _, name := range names {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		child := joinPath(path, name)
		st, err := inode.StatAt(dir, name)
		switch {
		case err != nil:
			return wrapPath(child, err)
		case st.Mode&unix.S_IFMT == unix.S_IFDIR:
			fd, err := inode.OpenDir(dir, name)
			if err != nil {
				return wrapPath(child, err)
			}
			err = c.scan(fd, child, found)
			inode.CloseFD(fd)
			if err != nil {
				return err
			}
		case st.Nlink > 1 && !inode.IsWhiteout(&st):
			id := inodeID{st.Dev, st.Ino}
			found[id] = append(found[id], child)
		}
	}
	return nil
}

// pruneLinks removes the groups that are no change at all, and reports whether there were any: the
// directories that led to them may now be unchanged too.
func (c *capturer) pruneLinks(root int) (pruned bool, err error) {
	for id, g := range c.groups {
		if g.equal != len(g.names) || len(g.was) != 1 {
			continue
		}
		for _, name := range g.names {
			if err := unlinkQuietly(root, name); err != nil {
				return false, fmt.Errorf("%s: %w", name, err)
			}
			c.res.Pruned++
		}
		delete(c.groups, id)
		pruned = true
	}
	return pruned, nil
}

// unlinkQuietly removes a file without changing the time of its directory.
func unlinkQuietly(root int, name string) error {
	dirs, base := path.Split(name)
	fd, err := inode.OpenDir(root, ".")
	for dir := range strings.SplitSeq(strings.TrimSuffix(dirs, "/"), "/") {
		if dir == "" || err != nil {
			continue
		}
		var next int
		next, err = inode.OpenDir(fd, dir)
		inode.CloseFD(fd)
		fd = next
	}
	if err != nil {
		return err
	}
	defer inode.CloseFD(fd)
	st, err := inode.StatAt(fd, ".")
	if err != nil {
		return err
	}
	if err := unix.Unlinkat(fd, base, 0); err != nil {
		return err
	}
	return inode.RootHandle(fd).Chtimes(time.Unix(st.Mtim.Unix()))
}
