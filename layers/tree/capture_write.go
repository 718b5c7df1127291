package tree

import (
	"archive/tar"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// write writes a directory in canonical form as a tar stream, and nothing at all if there is nothing in it.
func (c *capturer) write(w io.Writer, root int) error {
	tw := &tarWriter{c: c, w: w, links: map[inodeID]string{}, buf: make([]byte, inode.CopyBuffer)}
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
		if err := tw.entry(h, "./", m); err != nil {
			return err
		}
	}
	if err := tw.dir(root, "", m.PassesOn()); err != nil {
		return err
	}
	if tw.tar == nil {
		return nil
	}
	if err := tw.tar.Close(); err != nil {
		return fmt.Errorf("end the archive: %w", err)
	}
	return nil
}

type tarWriter struct {
	c     *capturer
	w     io.Writer
	tar   *tar.Writer        // nil until the first entry
	links map[inodeID]string // the first name of files that have several
	buf   []byte
}

// An item is one name of a directory.
type item struct {
	key  string // as it is written: a whiteout has another name
	name string
}

// dir writes what is in a directory, sorted by the bytes of the names, a directory's content right after it.
// (Sorted by the bytes of whole paths "a-b" would come between "a" and "a/x", and GNU tar, which sets the time of
// a directory when it is through with it, would set it too early.)
func (w *tarWriter) dir(dir int, path string, in inode.Inheritance) error {
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
			err = w.header(&tar.Header{Typeflag: tar.TypeReg, Name: joinPath(path, it.key), ModTime: time.Unix(0, 0)})
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
func (w *tarWriter) item(dir int, name, path string, in inode.Inheritance) error {
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
	if !m.IsDir() {
		return w.entry(h, path, m)
	}
	if err := w.entry(h, path+"/", m); err != nil {
		return err
	}
	return w.dir(h.FD, path, m.PassesOn())
}

// entry writes one entry that is no whiteout.
func (w *tarWriter) entry(h inode.Handle, name string, m *inode.Meta) error {
	hdr := &tar.Header{
		Name:    name,
		Mode:    int64(m.Mode & 0o7777),
		Uid:     int(m.UID),
		Gid:     int(m.GID),
		ModTime: time.Unix(m.ModTime.Unix()),
	}
	switch m.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		hdr.Typeflag, hdr.Size = tar.TypeReg, m.Size
	case unix.S_IFDIR:
		hdr.Typeflag = tar.TypeDir
	case unix.S_IFLNK:
		hdr.Typeflag, hdr.Linkname = tar.TypeSymlink, m.Target
	case unix.S_IFIFO:
		hdr.Typeflag = tar.TypeFifo
	case unix.S_IFCHR:
		hdr.Typeflag, hdr.Devmajor, hdr.Devminor = tar.TypeChar, int64(m.Major), int64(m.Minor)
	case unix.S_IFBLK:
		hdr.Typeflag, hdr.Devmajor, hdr.Devminor = tar.TypeBlock, int64(m.Major), int64(m.Minor)
	default:
		return fmt.Errorf("%s: a file of unknown type %#o", name, m.Mode&unix.S_IFMT)
	}
	if m.Disk.Stat.Nlink > 1 && !m.IsDir() {
		id := inodeID{m.Disk.Stat.Dev, m.Disk.Stat.Ino}
		if first, ok := w.links[id]; ok {
			hdr.Typeflag, hdr.Linkname, hdr.Size, hdr.Devmajor, hdr.Devminor = tar.TypeLink, first, 0, 0, 0
			return w.header(hdr)
		}
		w.links[id] = name
	}
	if len(m.Xattrs) > 0 {
		hdr.PAXRecords = make(map[string]string, len(m.Xattrs))
		for x, value := range m.Xattrs {
			hdr.PAXRecords[paxXattr+x] = value
		}
	}
	if err := w.header(hdr); err != nil {
		return err
	}
	if hdr.Typeflag != tar.TypeReg {
		return nil
	}
	w.c.res.Bytes += m.Size
	return wrapPath(name, w.data(h.FD, m.Size))
}

func (w *tarWriter) header(hdr *tar.Header) error {
	if w.tar == nil {
		w.tar = tar.NewWriter(w.w)
	}
	w.c.res.Entries++
	hdr.Format = tar.FormatPAX
	if err := w.tar.WriteHeader(hdr); err != nil {
		return fmt.Errorf("write entry %q: %w", hdr.Name, err)
	}
	return nil
}

// data writes the content of a file, without reading its holes.
func (w *tarWriter) data(fd int, size int64) error {
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
			if _, err := w.tar.Write(w.buf[:n]); err != nil {
				return fmt.Errorf("write the archive: %w", err)
			}
			off += int64(n)
		}
	}
	return nil
}

func (w *tarWriter) zeros(n int64) error {
	for n > 0 {
		if err := w.c.ctx.Err(); err != nil {
			return err
		}
		k, err := w.tar.Write(zeros[:min(n, holeSize)])
		if err != nil {
			return fmt.Errorf("write the archive: %w", err)
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
