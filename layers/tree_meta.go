package layers

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// meta is what a layer says of a file: what a tar entry holds and what the files of a layer directory stand
// for, with recorded owners, devices and xattrs put back in their places.
type meta struct {
	mode         uint32 // file type and permission bits, as in stat(2)
	uid, gid     uint32
	major, minor uint32 // of devices
	size         int64  // of regular files
	mtime        unix.Timespec
	target       string // of symbolic links
	xattrs       map[string]string

	disk diskState
}

// diskState is what the file is made of in the layer directory.
type diskState struct {
	st            unix.Stat_t
	hasRecord     bool     // there is an owner record
	groupRecorded bool     // and it names a group
	copiedUp      bool     // overlayfs copied it up from a lower layer
	opaque        bool     // it hides the lower directories of the same path
	implied       bool     // a root that the layer does not have
	extra         []string // xattrs that a file unpacked from the layer would not have
}

func (m *meta) isDir() bool     { return m.mode&unix.S_IFMT == unix.S_IFDIR }
func (m *meta) isRegular() bool { return m.mode&unix.S_IFMT == unix.S_IFREG }
func (m *meta) isDevice() bool {
	t := m.mode & unix.S_IFMT
	return t == unix.S_IFCHR || t == unix.S_IFBLK
}

// passesOn returns what a directory passes on to what is made in it.
func (m *meta) passesOn() inheritance {
	if m.isDir() && m.mode&unix.S_ISGID != 0 && m.gid != m.disk.st.Gid {
		return inheritance{recorded: true, gid: m.gid}
	}
	return inheritance{}
}

// inherit gives m the group that its directory passed on to it, see owner.go.
func (m *meta) inherit(in inheritance) {
	if in.recorded && m.disk.st.Gid == 0 && !m.disk.groupRecorded && !m.disk.copiedUp {
		m.gid = in.gid
	}
}

// readMeta returns what a file of a layer directory stands for.
func readMeta(h handle, st *unix.Stat_t) (*meta, error) {
	m := &meta{mode: st.Mode, uid: st.Uid, gid: st.Gid, mtime: st.Mtim, disk: diskState{st: *st}}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		m.size = st.Size
	case unix.S_IFLNK:
		var err error
		if m.target, err = readLink(h.dir, h.name); err != nil {
			return nil, fmt.Errorf("read link: %w", err)
		}
	case unix.S_IFCHR, unix.S_IFBLK:
		m.major, m.minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
	}
	names, err := h.listXattrs()
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		if err := m.readXattr(h, name); err != nil {
			return nil, err
		}
	}
	m.putBack()
	return m, nil
}

func (m *meta) readXattr(h handle, name string) error {
	if !isOurs(name) && !inLayers(name) {
		return nil
	}
	if strings.Contains(name, "=") {
		// In an extended header it would end the name.
		m.disk.extra = append(m.disk.extra, name)
		return nil
	}
	value, ok, err := h.xattr(name)
	if err != nil || !ok {
		return err
	}
	switch {
	case name == xattrOwner:
		o, err := parseOwner(value)
		if err != nil {
			return err
		}
		m.disk.hasRecord = true
		// A real owner other than 0 was set after the record was made, and holds.
		if o.uid != noID && m.disk.st.Uid == 0 {
			m.uid = o.uid
		}
		if o.gid != noID && m.disk.st.Gid == 0 {
			m.gid, m.disk.groupRecorded = o.gid, true
		}
	case name == xattrOpaque:
		m.disk.opaque = string(value) == "y"
		m.disk.extra = append(m.disk.extra, name)
	case name == xattrImplied:
		m.disk.implied = true
	case name == xattrOrigin:
		m.disk.copiedUp = true
		m.disk.extra = append(m.disk.extra, name)
	case strings.HasPrefix(name, xattrOverlay):
		m.disk.extra = append(m.disk.extra, name)
	default:
		if m.xattrs == nil {
			m.xattrs = map[string]string{}
		}
		m.xattrs[name] = string(value)
	}
	return nil
}

// putBack resolves the records that were read with the xattrs.
func (m *meta) putBack() {
	for name, value := range maps.Clone(m.xattrs) {
		original, isRecord := strings.CutPrefix(name, xattrKept)
		switch {
		case name == xattrDevice:
			delete(m.xattrs, name)
			if !m.standsFor(value) {
				m.disk.extra = append(m.disk.extra, name)
			}
		case name == xattrCapability:
			m.xattrs[name] = capabilityV2(value)
		case isRecord:
			delete(m.xattrs, name)
			if _, ok := m.xattrs[original]; ok || original == "" || isOurs(original) {
				// Set for real since: that holds.
				m.disk.extra = append(m.disk.extra, name)
			} else {
				m.xattrs[original] = value
			}
		case isOurs(name):
			// trusted.overlay.* of some other mount.
			delete(m.xattrs, name)
			m.disk.extra = append(m.disk.extra, name)
		}
	}
}

// standsFor makes m the device that a stand-in's xattr names. Something that was written to since is a file.
func (m *meta) standsFor(value string) bool {
	if !m.isRegular() || m.size != 0 {
		return false
	}
	kind, numbers, _ := strings.Cut(value, " ")
	a, b, _ := strings.Cut(numbers, " ")
	major, err1 := strconv.ParseUint(a, 10, 32)
	minor, err2 := strconv.ParseUint(b, 10, 32)
	if err1 != nil || err2 != nil || !validDevice(int64(major), int64(minor)) {
		return false
	}
	switch kind {
	case "c":
		m.mode = m.mode&^unix.S_IFMT | unix.S_IFCHR
	case "b":
		m.mode = m.mode&^unix.S_IFMT | unix.S_IFBLK
	default:
		return false
	}
	m.major, m.minor = uint32(major), uint32(minor)
	return true
}

// standIn returns the xattr by which an empty file stands for the device m.
func (m *meta) standIn() string {
	kind := "c"
	if m.mode&unix.S_IFMT == unix.S_IFBLK {
		kind = "b"
	}
	return fmt.Sprintf("%s %d %d", kind, m.major, m.minor)
}

// validDevice reports whether Linux has such device numbers: 12 and 20 bits.
func validDevice(major, minor int64) bool {
	return major >= 0 && major < 1<<12 && minor >= 0 && minor < 1<<20
}

// sameMeta reports whether two files are the same but for their times and content.
func sameMeta(a, b *meta) bool {
	if a.mode != b.mode || a.size != b.size || a.target != b.target || !maps.Equal(a.xattrs, b.xattrs) {
		return false
	}
	if a.isDevice() && (a.major != b.major || a.minor != b.minor) {
		return false
	}
	switch a.mode & unix.S_IFMT {
	case unix.S_IFLNK, unix.S_IFIFO:
		// Their owners cannot be recorded, so that only the real ones compare.
		return a.disk.st.Uid == b.disk.st.Uid && a.disk.st.Gid == b.disk.st.Gid
	}
	return a.uid == b.uid && a.gid == b.gid
}

// copyBuffer is how much file data is read and written at a time.
const copyBuffer = 1 << 20

// sameContent reports whether two open regular files of one size hold the same bytes.
func sameContent(ctx context.Context, a, b int, bufs *[2][]byte) (bool, error) {
	for i := range bufs {
		if bufs[i] == nil {
			bufs[i] = make([]byte, copyBuffer/4)
		}
	}
	for off := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := readAt(a, bufs[0], off)
		if err != nil {
			return false, err
		}
		k, err := readAt(b, bufs[1], off)
		if err != nil {
			return false, err
		}
		if !bytes.Equal(bufs[0][:n], bufs[1][:k]) {
			return false, nil
		}
		if n < len(bufs[0]) {
			return true, nil
		}
		off += int64(n)
	}
}

// readAt fills buf from fd at off, less only at the end of the file.
func readAt(fd int, buf []byte, off int64) (int, error) {
	n, err := io.ReadFull(io.NewSectionReader(fdReaderAt(fd), off, int64(len(buf))), buf)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return n, err
}

// fdReaderAt reads a file at offsets.
type fdReaderAt int

// ReadAt implements io.ReaderAt.
func (fd fdReaderAt) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		var k int
		err := retry(func() (err error) {
			k, err = unix.Pread(int(fd), p[n:], off+int64(n))
			return err
		})
		if err != nil {
			return n, fmt.Errorf("read: %w", err)
		}
		if k == 0 {
			return n, io.EOF
		}
		n += k
	}
	return n, nil
}
