package tree

import (
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// data copies the content of a file: shared with it where the file system can do that, else without its holes.
func (c *copier) data(from, to int, size int64) error {
	if size == 0 {
		return nil
	}
	if !c.plain {
		if inode.Retry(func() error { return unix.IoctlFileClone(to, from) }) == nil {
			c.res.Shared = true
			return nil
		}
		c.plain = !c.res.Shared // one that could not be shared says nothing of others, once some were
	}
	for off := int64(0); off < size; {
		begin, end, err := nextData(from, off, size)
		if err != nil {
			return err
		}
		if err := c.span(from, to, begin, end); err != nil {
			return err
		}
		off = end
	}
	return unix.Ftruncate(to, size)
}

// span copies a part of a file.
func (c *copier) span(from, to int, off, end int64) error {
	for off < end {
		if err := c.ctx.Err(); err != nil {
			return err
		}
		n, err := c.some(from, to, off, int(min(end-off, inode.CopyBuffer)))
		if err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("it became shorter while it was read: %w", io.ErrUnexpectedEOF)
		}
		off += int64(n)
	}
	return nil
}

func (c *copier) some(from, to int, off int64, size int) (int, error) {
	if c.buf == nil {
		c.buf = make([]byte, inode.CopyBuffer)
	}
	n, err := inode.ReadAt(from, c.buf[:size], off)
	if err != nil {
		return 0, err
	}
	return n, writeAll(to, c.buf[:n], off)
}

// linkIn makes name in dir another name of the file at a path below root.
func linkIn(root int, path string, dir int, name string) error {
	from, base, err := openIn(root, path)
	if err != nil {
		return err
	}
	defer inode.CloseFD(from)
	return unix.Linkat(from, base, dir, name, 0)
}

// openIn opens the directory of a path below root, and returns it with the last name. The caller closes it.
func openIn(root int, path string) (dir int, base string, err error) {
	parent, base := layers.Split(path)
	fd, err := inode.OpenDir(root, ".")
	for end := 0; err == nil && end < len(parent); {
		var name string
		name, end = component(parent, end)
		var next int
		next, err = inode.OpenDir(fd, name)
		inode.CloseFD(fd)
		fd = next
	}
	if err != nil {
		return -1, "", err
	}
	return fd, base, nil
}
