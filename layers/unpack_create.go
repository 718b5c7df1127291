package layers

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"

	"golang.org/x/sys/unix"
)

// create makes one entry that is no hard link. data is read for regular files.
func (u *unpacker) create(dir *openedDir, path []string, m *meta, data io.Reader) error {
	name := path[len(path)-1]
	h := handle{dir: dir.fd, name: name, fd: -1}
	var err error
	stale := false
	switch m.mode & unix.S_IFMT {
	case unix.S_IFDIR:
		h.fd, stale, err = u.mkdir(dir.fd, path)
	case unix.S_IFREG:
		if h.fd, err = u.makeFile(dir.fd, name); err == nil {
			err = u.writeData(h.fd, data, m.size)
		}
	case unix.S_IFLNK:
		err = u.make(dir.fd, name, func() error { return unix.Symlinkat(m.target, dir.fd, name) })
	case unix.S_IFIFO:
		err = u.make(dir.fd, name, func() error { return unix.Mknodat(dir.fd, name, unix.S_IFIFO|0o600, 0) })
	default:
		h.fd, err = u.makeDevice(dir.fd, name, m)
	}
	if err == nil {
		var lost []string
		lost, err = apply(h, m, dir.in, stale)
		u.lose(path, lost...)
	}
	if h.fd >= 0 {
		// A network file system may tell only now that it could not write.
		if cerr := unix.Close(h.fd); err == nil {
			err = cerr
		}
	}
	return err
}

// make calls mk, and calls it again after removing what was in its place: the last member of a name holds.
func (u *unpacker) make(dir int, name string, mk func() error) error {
	err := retry(mk)
	if errors.Is(err, unix.EEXIST) {
		if err := removeAt(u.ctx, dir, name); err != nil {
			return err
		}
		err = retry(mk)
	}
	return err
}

// makeFile makes an empty file and opens it for writing.
func (u *unpacker) makeFile(dir int, name string) (int, error) {
	fd := -1
	err := u.make(dir, name, func() (err error) {
		const flags = unix.O_WRONLY | unix.O_CREAT | unix.O_EXCL | unix.O_NOFOLLOW | unix.O_CLOEXEC
		fd, err = unix.Openat(dir, name, flags, 0o600)
		return err
	})
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// makeDevice makes a device, or, where the kernel does not let us, the file that stands for it, which it returns open.
func (u *unpacker) makeDevice(dir int, name string, m *meta) (int, error) {
	err := error(unix.EPERM)
	// The character device 0/0 must not be made: it would be a whiteout.
	if m.mode&unix.S_IFMT == unix.S_IFBLK || m.major != 0 || m.minor != 0 {
		dev := int(unix.Mkdev(m.major, m.minor)) //nolint:gosec // 12 and 20 bits
		err = u.make(dir, name, func() error { return unix.Mknodat(dir, name, m.mode&unix.S_IFMT|0o600, dev) })
	}
	if !errors.Is(err, unix.EPERM) {
		return -1, err
	}
	fd, err := u.makeFile(dir, name)
	if err != nil {
		return -1, err
	}
	if err := (handle{fd: fd}).setXattr(xattrDevice, []byte(m.standIn())); err != nil {
		closeFD(fd)
		return -1, fmt.Errorf("record device %s: %w", m.standIn(), noUserXattrs(err))
	}
	return fd, nil
}

// mkdir makes a directory and opens it. stale is true if it was there already.
func (u *unpacker) mkdir(dir int, path []string) (fd int, stale bool, err error) {
	name := path[len(path)-1]
	err = unix.Mkdirat(dir, name, 0o700)
	hides := false
	if errors.Is(err, unix.EEXIST) {
		st, serr := statAt(dir, name)
		if serr != nil {
			return -1, false, serr
		}
		stale = st.Mode&unix.S_IFMT == unix.S_IFDIR
		hides = isWhiteout(&st)
		err = nil
		if !stale {
			if err = unix.Unlinkat(dir, name, 0); err == nil {
				err = unix.Mkdirat(dir, name, 0o700)
			}
		}
	}
	if err != nil {
		return -1, false, err
	}
	if fd, err = openDir(dir, name); err != nil {
		return -1, false, err
	}
	if hides {
		if err := u.makeOpaque(fd, path); err != nil {
			closeFD(fd)
			return -1, false, err
		}
	}
	return fd, stale, nil
}

// missing makes a parent directory that is no member (yet), or was a whiteout until now.
func (u *unpacker) missing(path []string, parent *openedDir) (int, error) {
	m := &meta{mode: unix.S_IFDIR | 0o755}
	s, err := u.lower()
	if err != nil {
		return -1, err
	}
	e, ok, done, err := s.find(path)
	if err == nil && ok && e.isDir() {
		var h handle
		if m, h, err = e.meta(); err == nil {
			h.close()
			u.res.UsedLowers = true
		}
	}
	done()
	if err != nil {
		return -1, err
	}
	fd, _, err := u.mkdir(parent.fd, path)
	if err != nil {
		return -1, err
	}
	lost, err := apply(handle{parent.fd, path[len(path)-1], fd}, m, parent.in, false)
	u.lose(path, lost...)
	if err != nil {
		closeFD(fd)
		return -1, err
	}
	return fd, nil
}

// whiteout hides what lower layers have at target (empty: nothing) or, for an opaque one, in the directory.
func (u *unpacker) whiteout(parent []string, name, target string) error {
	if target == "" && name != whiteoutOpaque {
		return nil
	}
	u.res.Whiteouts++
	dir, err := u.enter(parent)
	if err != nil {
		return err
	}
	if name == whiteoutOpaque {
		if len(parent) == 0 {
			u.res.OpaqueRoot = true
		}
		return u.makeOpaque(dir.fd, parent)
	}
	st, err := statAt(dir.fd, target)
	switch {
	case errors.Is(err, unix.ENOENT):
		return makeWhiteout(dir.fd, target)
	case err != nil:
		return err
	case st.Mode&unix.S_IFMT != unix.S_IFDIR:
		return nil // a whiteout already, or a file of this layer that hides the lower one anyway
	}
	fd, err := openDir(dir.fd, target)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	if err := u.makeOpaque(fd, append(parent[:len(parent):len(parent)], target)); err != nil {
		return err
	}
	return nil
}

func (u *unpacker) makeOpaque(fd int, path []string) error {
	u.opaque = append(u.opaque, path)
	return makeOpaque(fd)
}

// hardLink makes path another name of target.
func (u *unpacker) hardLink(dir *openedDir, path []string, linkname string) error {
	target, err := splitName(linkname)
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", linkname, err)
	}
	if len(target) == 0 {
		return fmt.Errorf("hard link to %q: %w: it is the root", linkname, ErrMember)
	}
	err = u.link(dir, path, target)
	if errors.Is(err, unix.ENOENT) {
		err = u.copyLower(dir, path, target)
	}
	if err != nil {
		return fmt.Errorf("hard link to %q: %w", linkname, err)
	}
	return nil
}

// link makes the link within this layer, or returns ENOENT if the target is not in it.
func (u *unpacker) link(dir *openedDir, path, target []string) error {
	from, err := u.openParent(target)
	if err != nil {
		return err
	}
	defer closeFD(from)
	old := target[len(target)-1]
	st, err := statAt(from, old)
	switch {
	case err != nil:
		return err
	case isWhiteout(&st):
		return fmt.Errorf("%w: the target is a whiteout", ErrMember)
	case st.Mode&unix.S_IFMT == unix.S_IFDIR:
		return fmt.Errorf("%w: the target is a directory", ErrMember)
	}
	name := path[len(path)-1]
	if there, err := statAt(dir.fd, name); err == nil && there.Dev == st.Dev && there.Ino == st.Ino {
		return nil
	}
	return u.make(dir.fd, name, func() error { return unix.Linkat(from, old, dir.fd, name, 0) })
}

// openParent opens the parent directory of a path in the layer.
func (u *unpacker) openParent(path []string) (int, error) {
	fd, err := openDir(u.dirs.dirs[0].fd, ".")
	for i := 0; err == nil && i < len(path)-1; i++ {
		var next int
		next, err = openDir(fd, path[i])
		closeFD(fd)
		fd = next
		if errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOTDIR) {
			err = fmt.Errorf("%w: %q is not a directory", ErrUnsafe, strings.Join(path[:i+1], "/"))
		}
	}
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// copyLower copies a lower layer's file for a hard link to it: across layers there are none.
func (u *unpacker) copyLower(dir *openedDir, path, target []string) error {
	s, err := u.lower()
	if err != nil {
		return err
	}
	e, ok, done, err := s.find(target)
	defer func() { done() }()
	if err != nil {
		return err
	}
	if !ok {
		return fmt.Errorf("%w: there is no such file", ErrMember)
	}
	if e.isDir() {
		return fmt.Errorf("%w: the target is a directory", ErrMember)
	}
	m, h, err := e.meta()
	if err != nil {
		return err
	}
	defer h.close()
	u.res.UsedLowers = true
	u.res.Bytes += m.size
	return u.create(dir, path, m, io.NewSectionReader(fdReaderAt(h.fd), 0, m.size))
}

// holeSize is the least run of zeros that becomes a hole, and what it is aligned to. Smaller ones would cost
// more in fragments than they save.
const holeSize = 64 << 10

var zeros [holeSize]byte

// writeData writes the content of a file, with holes for long runs of zeros.
func (u *unpacker) writeData(fd int, data io.Reader, size int64) error {
	hole := false
	for off := int64(0); off < size; {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		buf := u.buf[:min(int64(len(u.buf)), size-off)]
		n, err := io.ReadFull(data, buf)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("read its data at %d of %d bytes: %w", off+int64(n), size, err)
		}
		if hole, err = writeDense(fd, buf, off); err != nil {
			return fmt.Errorf("write its data: %w", err)
		}
		off += int64(n)
	}
	if hole {
		if err := unix.Ftruncate(fd, size); err != nil {
			return fmt.Errorf("set its size to %d: %w", size, err)
		}
	}
	return nil
}

// writeDense writes what is not zeros of buf, which belongs at off. It reports whether it ended with a hole.
func writeDense(fd int, buf []byte, off int64) (hole bool, err error) {
	begin := 0
	for i := 0; i < len(buf); i += holeSize {
		chunk := buf[i:min(i+holeSize, len(buf))]
		hole = len(chunk) == holeSize && chunk[0] == 0 && chunk[holeSize-1] == 0 && bytes.Equal(chunk, zeros[:])
		if !hole {
			continue
		}
		if err := writeAll(fd, buf[begin:i], off+int64(begin)); err != nil {
			return false, err
		}
		begin = i + holeSize
	}
	if hole {
		return true, nil
	}
	return false, writeAll(fd, buf[begin:], off+int64(begin))
}

func writeAll(fd int, buf []byte, off int64) error {
	for len(buf) > 0 {
		var n int
		err := retry(func() (err error) {
			n, err = unix.Pwrite(fd, buf, off)
			return err
		})
		if err != nil {
			return err
		}
		buf, off = buf[n:], off+int64(n)
	}
	return nil
}
