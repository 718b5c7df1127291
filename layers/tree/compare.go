package tree

import (
	"context"
	"fmt"
	"maps"
	"slices"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// Compare finds out whether two layer directories mean the same: the same names, types, modes, owners, times, contents,
// targets, devices, xattrs, whiteouts and hard links, records included. It returns what differs first, in words, or "".
// It runs as root of the user namespace that both were made in.
func Compare(ctx context.Context, a, b string) (string, error) {
	c := &comparer{ctx: ctx, links: map[inodeID]inodeID{}}
	var roots [2]inode.Handle
	for i, path := range []string{a, b} {
		fd, err := inode.OpenRoot(path)
		if err != nil {
			return "", fmt.Errorf("compare %s and %s: %w", a, b, err)
		}
		defer inode.CloseFD(fd)
		roots[i] = inode.RootHandle(fd)
	}
	diff, err := c.files(roots, ".")
	if err != nil {
		return "", fmt.Errorf("compare %s and %s: %w", a, b, err)
	}
	return diff, nil
}

type comparer struct {
	ctx   context.Context // lives as long as one call
	bufs  [2][]byte
	links map[inodeID]inodeID // of files with several names, the first ones'
}

// files compares two files and what is below them.
func (c *comparer) files(h [2]inode.Handle, path string) (string, error) {
	if err := c.ctx.Err(); err != nil {
		return "", err
	}
	var m [2]*inode.Meta
	for i := range h {
		st, err := inode.StatAt(h[i].Dir, h[i].Name)
		if err == nil {
			m[i], err = inode.ReadMeta(h[i], &st)
		}
		if err != nil {
			return "", wrapPath(path, err)
		}
	}
	if what := c.differ(m[0], m[1]); what != "" {
		return path + ": " + what, nil
	}
	switch {
	case m[0].IsDir():
		return c.dirs([2]int{h[0].FD, h[1].FD}, path)
	case m[0].IsRegular():
		same, err := inode.SameContent(c.ctx, h[0].FD, h[1].FD, &c.bufs)
		if err == nil && !same {
			return path + ": content", nil
		}
		return "", wrapPath(path, err)
	}
	return "", nil
}

// differ names in what two files differ, but for their content.
func (c *comparer) differ(a, b *inode.Meta) string {
	x, y := &a.Disk, &b.Disk
	switch {
	case a.Mode != b.Mode:
		return "mode or type"
	case inode.IsWhiteout(&x.Stat) && inode.IsWhiteout(&y.Stat):
		return "" // whose it is depends on who made it, overlayfs or we; and several may be one file
	case a.UID != b.UID || a.GID != b.GID || x.Stat.Uid != y.Stat.Uid || x.Stat.Gid != y.Stat.Gid || x.HasRecord != y.HasRecord:
		return "owner"
	case !maps.Equal(a.Xattrs, b.Xattrs) || !slices.Equal(x.Extra, y.Extra) || x.Opaque != y.Opaque || x.Implied != y.Implied:
		return "xattrs"
	case !inode.SameMeta(a, b):
		return "size, target or device"
	case x.Stat.Mode&unix.S_IFMT != y.Stat.Mode&unix.S_IFMT || x.Stat.Rdev != y.Stat.Rdev:
		return "what stands for a device"
	case !a.ModTime.Equal(b.ModTime):
		return "time"
	}
	if a.IsDir() {
		return ""
	}
	if x.Stat.Nlink != y.Stat.Nlink {
		return "number of names"
	}
	if x.Stat.Nlink > 1 {
		one, other := inodeID{x.Stat.Dev, x.Stat.Ino}, inodeID{y.Stat.Dev, y.Stat.Ino}
		if first, ok := c.links[one]; ok && first != other {
			return "hard links"
		}
		c.links[one] = other
	}
	return ""
}

// dirs compares what is in two directories.
func (c *comparer) dirs(fd [2]int, path string) (string, error) {
	var names [2][]string
	for i := range fd {
		var err error
		if names[i], err = inode.ReadNames(fd[i]); err != nil {
			return "", wrapPath(path, err)
		}
		slices.Sort(names[i])
	}
	if !slices.Equal(names[0], names[1]) {
		return path + ": names", nil
	}
	for _, name := range names[0] {
		if diff, err := c.child(fd, name, joinPath(path, name)); diff != "" || err != nil {
			return diff, err
		}
	}
	return "", nil
}

func (c *comparer) child(fd [2]int, name, path string) (string, error) {
	var h [2]inode.Handle
	for i := range fd {
		st, err := inode.StatAt(fd[i], name)
		if err == nil {
			h[i], err = inode.Open(fd[i], name, &st)
		}
		if err != nil {
			return "", wrapPath(path, err)
		}
		defer h[i].Close()
	}
	return c.files(h, path)
}
