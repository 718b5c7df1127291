package inode

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// Meta is what a layer says of a file, read from a layer directory: recorded owners, devices and xattrs are back in their
// places. Its path is not known here.
type Meta struct {
	layers.Member

	Disk diskState
}

// diskState is what the file is made of in the layer directory.
type diskState struct {
	Stat          unix.Stat_t
	HasRecord     bool     // there is an owner record
	GroupRecorded bool     // and it names a group
	modeRecorded  bool     // a directory's mode stands in a record
	modeDue       bool     // it does not, and is to
	copiedUp      bool     // overlayfs copied it up from a lower layer, or it is a copy of a lower layer's
	Opaque        bool     // it hides the lower directories of the same path
	Implied       bool     // a root that the layer does not have
	nobodys       bool     // its group is the one of files whose own is outside of the map
	Extra         []string // xattrs that a file unpacked from the layer would not have
}

// PassesOn returns what a directory passes on to what is made in it.
func (m *Meta) PassesOn() Inheritance {
	if m.IsDir() && m.Mode&unix.S_ISGID != 0 && m.GID != m.Disk.Stat.Gid {
		return Inheritance{recorded: true, gid: m.GID}
	}
	return Inheritance{}
}

// Inherit gives m the group that its directory passed on to it, see owner.go.
func (m *Meta) Inherit(in Inheritance) {
	if in.recorded && m.Disk.nobodys && !m.Disk.GroupRecorded && !m.Disk.copiedUp {
		m.GID = in.gid
	}
}

// NeedsRecord reports whether a record of the owner is due that the file does not have: of an id that is set for real where
// nodes do not have it, or, where in passes something on, of a group that only a record can tell from what is passed on.
func (m *Meta) NeedsRecord(in Inheritance) bool {
	return m.Disk.Stat.Uid >= foreign || m.Disk.Stat.Gid >= foreign || in.recorded && m.Disk.nobodys && !m.Disk.GroupRecorded
}

// ReadMeta returns what a file of a layer directory stands for.
func ReadMeta(h Handle, st *unix.Stat_t) (*Meta, error) {
	nobody, err := standIn()
	if err != nil {
		return nil, err
	}
	m := &Meta{
		Member: layers.Member{Mode: st.Mode, UID: st.Uid, GID: st.Gid, ModTime: time.Unix(st.Mtim.Unix())},
		Disk:   diskState{Stat: *st, nobodys: st.Gid == nobody.gid},
	}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		m.Size = st.Size
	case unix.S_IFLNK:
		if m.Target, err = ReadLink(h.Dir, h.Name); err != nil {
			return nil, fmt.Errorf("read link: %w", err)
		}
	case unix.S_IFCHR, unix.S_IFBLK:
		m.Major, m.Minor = unix.Major(st.Rdev), unix.Minor(st.Rdev)
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
	m.Disk.modeDue = needsMode(m.Mode, nobody) && !m.Disk.modeRecorded
	return m, nil
}

func (m *Meta) readXattr(h Handle, name string) error {
	if !layers.IsOurs(name) && !layers.InLayers(name) {
		return nil
	}
	value, ok, err := h.Xattr(name)
	if err != nil || !ok {
		return err
	}
	if name == layers.XattrCapability && !h.holdsUser() {
		if o, ok := parseCap(string(value)); ok {
			return m.takeOwner(o)
		}
	}
	switch {
	case name == layers.XattrOwner:
		o, err := parseOwner(value)
		if err != nil {
			return err
		}
		return m.takeOwner(o)
	case name == layers.XattrOpaque:
		m.Disk.Opaque = string(value) == "y"
		m.Disk.Extra = append(m.Disk.Extra, name)
	case name == layers.XattrImplied:
		m.Disk.Implied = true
	case name == layers.XattrOrigin, name == layers.XattrCopied:
		m.Disk.copiedUp = true
		m.Disk.Extra = append(m.Disk.Extra, name)
	case strings.HasPrefix(name, layers.XattrOverlay):
		m.Disk.Extra = append(m.Disk.Extra, name)
	default:
		if m.Xattrs == nil {
			m.Xattrs = map[string]string{}
		}
		m.Xattrs[name] = string(value)
	}
	return nil
}

// takeOwner takes what the record of an owner says.
func (m *Meta) takeOwner(rec owner) error {
	nobody, err := standIn()
	if err != nil {
		return err
	}
	o := Owner{UID: m.UID, GID: m.GID, open: m.Disk.nobodys}
	// An owner that is not the one of such files was set after the record was made, and holds.
	o.take(rec, nobody)
	m.UID, m.GID, m.Disk.HasRecord = o.UID, o.GID, true
	m.Disk.GroupRecorded = m.Disk.nobodys && !o.open
	return nil
}

// putBack resolves the records that were read with the xattrs.
func (m *Meta) putBack() {
	for name, value := range maps.Clone(m.Xattrs) {
		original, isRecord := strings.CutPrefix(name, layers.XattrKept)
		switch {
		case name == layers.XattrDevice:
			delete(m.Xattrs, name)
			if !m.standsFor(value) {
				m.Disk.Extra = append(m.Disk.Extra, name)
			}
		case name == layers.XattrMode:
			delete(m.Xattrs, name)
			if mode, ok := parseMode(m.Mode, value); ok {
				m.Mode, m.Disk.modeRecorded = mode, true
			} else {
				m.Disk.Extra = append(m.Disk.Extra, name)
			}
		case name == layers.XattrCapability:
			m.Xattrs[name] = layers.CapabilityV2(value)
		case isRecord:
			delete(m.Xattrs, name)
			if _, ok := m.Xattrs[original]; ok || original == "" || layers.IsOurs(original) {
				// Set for real since: that holds.
				m.Disk.Extra = append(m.Disk.Extra, name)
			} else if original == layers.XattrACL { // the kernel has changed the mode alone since
				m.Xattrs[original] = layers.ACLOfMode(value, m.Mode)
			} else {
				m.Xattrs[original] = value
			}
		case layers.IsOurs(name):
			// trusted.overlay.* of some other mount.
			delete(m.Xattrs, name)
			m.Disk.Extra = append(m.Disk.Extra, name)
		}
	}
}

// standsFor makes m the device that a stand-in's xattr names. Something that was written to since is a file.
func (m *Meta) standsFor(value string) bool {
	if !m.IsRegular() || m.Size != 0 {
		return false
	}
	kind, numbers, _ := strings.Cut(value, " ")
	a, b, _ := strings.Cut(numbers, " ")
	major, err1 := strconv.ParseUint(a, 10, 32)
	minor, err2 := strconv.ParseUint(b, 10, 32)
	if err1 != nil || err2 != nil || !layers.ValidDevice(int64(major), int64(minor)) {
		return false
	}
	switch kind {
	case "c":
		m.Mode = m.Mode&^unix.S_IFMT | unix.S_IFCHR
	case "b":
		m.Mode = m.Mode&^unix.S_IFMT | unix.S_IFBLK
	default:
		return false
	}
	m.Major, m.Minor = uint32(major), uint32(minor)
	return true
}

// StandIn returns the xattr by which an empty file stands for the device m.
func StandIn(m *layers.Member) string {
	kind := "c"
	if m.Mode&unix.S_IFMT == unix.S_IFBLK {
		kind = "b"
	}
	return fmt.Sprintf("%s %d %d", kind, m.Major, m.Minor)
}

// SameMeta reports whether two files are the same but for their times and content.
func SameMeta(a, b *Meta) bool {
	if a.Mode != b.Mode || a.Size != b.Size || a.Target != b.Target || !maps.Equal(a.Xattrs, b.Xattrs) {
		return false
	}
	if a.IsDevice() && (a.Major != b.Major || a.Minor != b.Minor) {
		return false
	}
	return a.UID == b.UID && a.GID == b.GID
}

// CopyBuffer is how much file data is read and written at a time.
const CopyBuffer = 1 << 20

// SameContent reports whether two open regular files of one size hold the same bytes.
func SameContent(ctx context.Context, a, b int, bufs *[2][]byte) (bool, error) {
	for i := range bufs {
		if bufs[i] == nil {
			bufs[i] = make([]byte, CopyBuffer/4)
		}
	}
	for off := int64(0); ; {
		if err := ctx.Err(); err != nil {
			return false, err
		}
		n, err := ReadAt(a, bufs[0], off)
		if err != nil {
			return false, err
		}
		k, err := ReadAt(b, bufs[1], off)
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

// ReadAt fills buf from fd at off, less only at the end of the file.
func ReadAt(fd int, buf []byte, off int64) (int, error) {
	n, err := io.ReadFull(io.NewSectionReader(FdReaderAt(fd), off, int64(len(buf))), buf)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		err = nil
	}
	return n, err
}

// FdReaderAt reads a file at offsets.
type FdReaderAt int

// ReadAt implements io.ReaderAt.
func (fd FdReaderAt) ReadAt(p []byte, off int64) (n int, err error) {
	for n < len(p) {
		var k int
		err := Retry(func() (err error) {
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
