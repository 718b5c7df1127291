package tree

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// write writes a directory in canonical form as a tar stream, and nothing at all if there is nothing in it.
func (c *capturer) write(w io.Writer, root int) error {
	tw := &treeWriter{c: c, out: layers.NewWriter(w), links: map[inodeID]string{}}
	h := inode.RootHandle(root)
	st, err := inode.StatAt(root, ".")
	if err != nil {
		return err
	}
	m, err := inode.ReadMeta(h, &st)
	if err != nil {
		return err
	}
	if !m.Disk.Implied {
		if err := tw.entry(h, m); err != nil {
			return err
		}
	}
	if err := tw.dir(root, "", m.PassesOn()); err != nil {
		return err
	}
	return tw.out.Close()
}

type treeWriter struct {
	c     *capturer
	out   *layers.Writer
	links map[inodeID]string // the first name of files that have several
	buf   []byte             // as large as the largest file so far, at most inode.CopyBuffer
}

// An item is one name of a directory.
type item struct {
	key  string // as it is written: a whiteout has another name
	name string
}

// dir writes what is in a directory, sorted by the bytes of the names, a directory's content right after it.
// (Sorted by the bytes of whole paths "a-b" would come between "a" and "a/x", and GNU tar, which sets the time of
// a directory when it is through with it, would set it too early.)
func (w *treeWriter) dir(dir int, path string, in inode.Inheritance) error {
	names, err := inode.ReadNames(dir)
	if err != nil {
		return wrapPath(path, err)
	}
	items := make([]item, 0, len(names))
	for _, name := range names {
		st, err := inode.StatAt(dir, name)
		if err != nil {
			return wrapPath(joinPath(path, name), err)
		}
		it := item{key: name, name: name}
		if inode.IsWhiteout(&st) {
			it.key = layers.WhiteoutPrefix + name
		}
		items = append(items, it)
	}
	slices.SortFunc(items, func(a, b item) int { return strings.Compare(a.key, b.key) })
	for _, it := range items {
		if err := w.c.ctx.Err(); err != nil {
			return err
		}
		if it.key != it.name {
			w.c.res.Whiteouts++
			err = w.member(&layers.Member{Kind: layers.Whiteout, Path: joinPath(path, it.name)})
		} else {
			err = w.item(dir, it.name, joinPath(path, it.name), in)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// item writes a file, or a directory and what is in it.
func (w *treeWriter) item(dir int, name, path string, in inode.Inheritance) error {
	st, err := inode.StatAt(dir, name)
	if err != nil {
		return wrapPath(path, err)
	}
	h, err := inode.Open(dir, name, &st)
	if err != nil {
		return wrapPath(path, err)
	}
	defer h.Close()
	m, err := inode.ReadMeta(h, &st)
	if err != nil {
		return wrapPath(path, err)
	}
	m.Inherit(in)
	m.Path = path
	if err := w.entry(h, m); err != nil || !m.IsDir() {
		return err
	}
	return w.dir(h.FD, path, m.PassesOn())
}

// entry writes one entry that is no whiteout.
func (w *treeWriter) entry(h inode.Handle, m *inode.Meta) error {
	if m.Disk.Stat.Nlink > 1 && !m.IsDir() {
		id := inodeID{m.Disk.Stat.Dev, m.Disk.Stat.Ino}
		if first, ok := w.links[id]; ok {
			m.Kind, m.Target = layers.HardLink, first
			return w.member(&m.Member)
		}
		w.links[id] = m.Path
	}
	if m.IsDevice() || m.UID != m.Disk.Stat.Uid || m.GID != m.Disk.Stat.Gid {
		w.c.res.Recorded = true
	}
	if m.IsDir() && m.Mode&unix.S_ISGID != 0 && m.GID != m.Disk.Stat.Gid {
		w.c.res.Passes = true
	}
	if _, has := m.Xattrs[layers.XattrDefaultACL]; has {
		w.c.res.Lists = true
	}
	if err := w.member(&m.Member); err != nil || !m.IsRegular() {
		return err
	}
	w.c.res.Bytes += m.Size
	return wrapPath(m.Path, w.data(h.FD, m.Size))
}

func (w *treeWriter) member(m *layers.Member) error {
	w.c.res.Entries++
	return w.out.WriteMember(m)
}

// data writes the content of a file, without reading its holes.
func (w *treeWriter) data(fd int, size int64) error {
	if n := min(size, inode.CopyBuffer); n > int64(len(w.buf)) {
		w.buf = make([]byte, max(n, min(2*int64(len(w.buf)), inode.CopyBuffer)))
	}
	for off := int64(0); off < size; {
		begin, end, err := nextData(fd, off, size)
		if err != nil {
			return err
		}
		if err := w.zeros(begin - off); err != nil {
			return err
		}
		for off = begin; off < end; {
			if err := w.c.ctx.Err(); err != nil {
				return err
			}
			n, err := inode.ReadAt(fd, w.buf[:min(int64(len(w.buf)), end-off)], off)
			if err != nil {
				return err
			}
			if n == 0 {
				return fmt.Errorf("it became shorter while it was read: %w", io.ErrUnexpectedEOF)
			}
			if _, err := w.out.Write(w.buf[:n]); err != nil {
				return err
			}
			off += int64(n)
		}
	}
	return nil
}

func (w *treeWriter) zeros(n int64) error {
	for n > 0 {
		if err := w.c.ctx.Err(); err != nil {
			return err
		}
		k, err := w.out.Write(zeros[:min(n, holeSize)])
		if err != nil {
			return err
		}
		n -= int64(k)
	}
	return nil
}

// nextData returns where a file's next data at or after off begins and ends: both are size if only a hole is left.
func nextData(fd int, off, size int64) (begin, end int64, err error) {
	const small = 128 << 10 // a hole in it would not be worth two calls
	if size <= small {
		return off, size, nil
	}
	begin, err = unix.Seek(fd, off, unix.SEEK_DATA)
	if err == unix.ENXIO { // straight from the kernel
		return size, size, nil
	}
	if err == unix.EINVAL { // the file system cannot tell
		return off, size, nil
	}
	if err != nil {
		return 0, 0, fmt.Errorf("find its data: %w", err)
	}
	end, err = unix.Seek(fd, begin, unix.SEEK_HOLE)
	if err != nil {
		return 0, 0, fmt.Errorf("find its holes: %w", err)
	}
	return min(begin, size), min(end, size), nil
}
