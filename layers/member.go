package layers

import (
	"archive/tar"
	"fmt"
	"math"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// A Kind says what a member of a layer's stream does.
type Kind uint8

// The kinds of members.
const (
	Entry    Kind = iota // puts a file at the path: see its mode
	HardLink             // makes the path another name of the target
	Whiteout             // hides what lower layers have at the path and below it
	Opaque               // hides what lower layers have below the path
	Nothing              // has no meaning for an image
)

// A Member is what one member of a layer's stream says. Those of [Reader] and [MemberOf] are checked: see the package's
// documentation for the rules.
type Member struct {
	// Name as it stands in the stream, for messages. [Writer] makes its own.
	Name string
	// Path is clean and relative to the root, which is "". Of a whiteout it is what is hidden, of an opaque one the
	// directory.
	Path string
	Kind Kind
	// The other fields are those of entries; hard links have them too, but the file's own are those of its first name.

	// Mode is file type and permission bits, as in stat(2). A hard link's type is S_IFREG, whatever it is a link to. The
	// permissions of a symbolic link are 0777.
	Mode     uint32
	UID, GID uint32
	// Major and Minor are the number of a device.
	Major, Minor uint32
	// Size of a regular file in bytes, holes included.
	Size    int64
	ModTime time.Time
	// Target of a symbolic link, as it stands there, or clean path of what a hard link is to.
	Target string
	// Xattrs by name; access control lists are among them in the kernel's form. nil without any.
	Xattrs map[string]string
	// Named are access control lists that have names of users or groups in place of ids, as texts, by the attribute that
	// they are. Whose names they are only the image says: see [ResolveACL]. nil without any.
	Named map[string]string
	// Lost names attributes that stand in the stream and that the member does not have: those of layer directories and
	// overlayfs, and those that do not parse or that no kernel holds.
	Lost []string
}

// IsDir reports whether m is a directory.
func (m *Member) IsDir() bool { return m.Kind == Entry && m.Mode&unix.S_IFMT == unix.S_IFDIR }

// IsRegular reports whether m is a regular file.
func (m *Member) IsRegular() bool { return m.Kind == Entry && m.Mode&unix.S_IFMT == unix.S_IFREG }

// IsDevice reports whether m is a block or character device.
func (m *Member) IsDevice() bool {
	t := m.Mode & unix.S_IFMT
	return m.Kind == Entry && (t == unix.S_IFCHR || t == unix.S_IFBLK)
}

// MemberOf returns what a header of archive/tar says. Errors wrap [ErrUnsafe] or [ErrMember] and do not name the member.
// A global header is no member: the caller passes it by.
func MemberOf(hdr *tar.Header) (Member, error) {
	m := Member{Name: hdr.Name}
	var err error
	if m.Path, m.Kind, err = parseName(hdr.Name); err != nil || m.Kind != Entry {
		return m, err
	}
	if err := m.setType(hdr); err != nil {
		return m, err
	}
	if m.Path == "" && !m.IsDir() {
		return m, fmt.Errorf("%w: the root is no directory", ErrMember)
	}
	if m.UID, err = id("owner", hdr.Uid); err != nil {
		return m, err
	}
	if m.GID, err = id("group", hdr.Gid); err != nil {
		return m, err
	}
	m.ModTime = hdr.ModTime
	if len(hdr.PAXRecords) > 0 && m.Kind == Entry {
		m.attributes(hdr.PAXRecords)
	}
	return m, nil
}

// setType takes the type from a header, and what depends on it.
func (m *Member) setType(hdr *tar.Header) (err error) {
	m.Mode = uint32(hdr.Mode) & 0o7777
	switch hdr.Typeflag {
	case tar.TypeReg, tar.TypeRegA, tar.TypeCont, tar.TypeGNUSparse: //nolint:staticcheck // old archives have TypeRegA
		m.Mode |= unix.S_IFREG
		if m.Size = hdr.Size; m.Size < 0 {
			return fmt.Errorf("%w: negative size", ErrMember)
		}
	case tar.TypeLink:
		m.Kind = HardLink
		m.Mode |= unix.S_IFREG
		m.Target, err = cleanTarget(hdr.Linkname)
	case tar.TypeDir:
		m.Mode |= unix.S_IFDIR
	case tar.TypeSymlink:
		m.Mode = unix.S_IFLNK | 0o777 // programs that write tar disagree on what means nothing
		m.Target = hdr.Linkname
		err = checkSymlink(m.Target)
	case tar.TypeFifo:
		m.Mode |= unix.S_IFIFO
	case tar.TypeChar:
		m.Mode |= unix.S_IFCHR
	case tar.TypeBlock:
		m.Mode |= unix.S_IFBLK
	default:
		return fmt.Errorf("%w: unknown kind of member %q", ErrMember, hdr.Typeflag)
	}
	if err == nil && m.IsDevice() {
		if !ValidDevice(hdr.Devmajor, hdr.Devminor) {
			return fmt.Errorf("%w: device number %d:%d out of range", ErrMember, hdr.Devmajor, hdr.Devminor)
		}
		m.Major, m.Minor = uint32(hdr.Devmajor), uint32(hdr.Devminor)
	}
	return err
}

func checkSymlink(target string) error {
	switch {
	case target == "":
		return fmt.Errorf("%w: symbolic link to nothing", ErrMember)
	case len(target) > maxTarget:
		return fmt.Errorf("%w: symbolic link to a name of %d bytes, the limit is %d: %w", ErrMember, len(target), maxTarget, syscall.ENAMETOOLONG)
	case strings.IndexByte(target, 0) >= 0:
		return fmt.Errorf("%w: symbolic link to a name with a zero byte", ErrMember)
	}
	return nil
}

// id checks a user or group id: 2^32-1 is -1, which no file can have.
func id(what string, v int) (uint32, error) {
	n := int64(v)
	if strconv.IntSize == 32 {
		n = int64(uint32(v)) // archive/tar has cut it to an int already
	}
	if n < 0 || n >= math.MaxUint32 {
		return 0, fmt.Errorf("%w: %s %d out of range", ErrMember, what, v)
	}
	return uint32(n), nil
}

// ValidDevice reports whether Linux has such device numbers: 12 and 20 bits.
func ValidDevice(major, minor int64) bool {
	return major >= 0 && major < 1<<12 && minor >= 0 && minor < 1<<20
}
