package layers

import (
	"archive/tar"
	"fmt"
	"math"
	"strings"

	"golang.org/x/sys/unix"
)

// Keys of extended headers, as star and GNU tar write them.
const (
	paxXattr      = "SCHILY.xattr."
	paxACL        = "SCHILY.acl.access"
	paxDefaultACL = "SCHILY.acl.default"
)

// splitName returns the components of a member's name, none for the root. It refuses what could lead out of it.
func splitName(name string) ([]string, error) {
	switch {
	case name == "":
		return nil, fmt.Errorf("%w: it has no name", ErrMember)
	case name[0] == '/':
		return nil, fmt.Errorf("%w: its name is absolute", ErrUnsafe)
	case strings.IndexByte(name, 0) >= 0:
		return nil, fmt.Errorf("%w: its name has a NUL byte", ErrUnsafe)
	}
	path := make([]string, 0, strings.Count(name, "/")+1)
	for part := range strings.SplitSeq(name, "/") {
		switch part {
		case "", ".":
		case "..":
			return nil, fmt.Errorf("%w: its name has a \"..\"", ErrUnsafe)
		default:
			path = append(path, part)
		}
	}
	return path, nil
}

// headerMeta returns what a member's header says. The type of a hard link is that of a regular file.
func headerMeta(hdr *tar.Header) (*meta, error) {
	mtime, err := unix.TimeToTimespec(hdr.ModTime)
	if err != nil { // beyond 2038 on a 32-bit machine
		return nil, fmt.Errorf("time %s: %w", hdr.ModTime, err)
	}
	m := &meta{mode: uint32(hdr.Mode) & 0o7777, mtime: mtime}
	switch hdr.Typeflag {
	case tar.TypeReg, tar.TypeRegA, tar.TypeCont, tar.TypeGNUSparse: //nolint:staticcheck // old archives have TypeRegA
		m.mode |= unix.S_IFREG
		m.size = hdr.Size
	case tar.TypeLink:
		m.mode |= unix.S_IFREG
	case tar.TypeDir:
		m.mode |= unix.S_IFDIR
	case tar.TypeSymlink:
		m.mode |= unix.S_IFLNK
		m.target = hdr.Linkname
		if m.target == "" {
			return nil, fmt.Errorf("%w: a symbolic link to nothing", ErrMember)
		}
	case tar.TypeFifo:
		m.mode |= unix.S_IFIFO
	case tar.TypeChar:
		m.mode |= unix.S_IFCHR
	case tar.TypeBlock:
		m.mode |= unix.S_IFBLK
	default:
		return nil, fmt.Errorf("%w: type %q", ErrMember, hdr.Typeflag)
	}
	if m.size < 0 {
		return nil, fmt.Errorf("%w: size %d", ErrMember, m.size)
	}
	// The highest id is the kernel's "leave it".
	if hdr.Uid < 0 || hdr.Gid < 0 || int64(hdr.Uid) >= math.MaxUint32 || int64(hdr.Gid) >= math.MaxUint32 {
		return nil, fmt.Errorf("%w: owner %d:%d", ErrMember, hdr.Uid, hdr.Gid)
	}
	m.uid, m.gid = uint32(hdr.Uid), uint32(hdr.Gid)
	if m.isDevice() {
		if !validDevice(hdr.Devmajor, hdr.Devminor) {
			return nil, fmt.Errorf("%w: device %d:%d", ErrMember, hdr.Devmajor, hdr.Devminor)
		}
		m.major, m.minor = uint32(hdr.Devmajor), uint32(hdr.Devminor)
	}
	return m, m.addXattrs(hdr.PAXRecords)
}

// addXattrs takes xattrs and access control lists from the records of an extended header.
func (m *meta) addXattrs(records map[string]string) error {
	set := func(name, value string) {
		if m.xattrs == nil {
			m.xattrs = map[string]string{}
		}
		m.xattrs[name] = value
	}
	for key, name := range map[string]string{paxACL: xattrACL, paxDefaultACL: xattrDefaultACL} {
		text := strings.TrimSpace(records[key])
		if text == "" {
			continue
		}
		value, err := parseACL(text)
		if err != nil {
			return err
		}
		if value != "" {
			set(name, value)
		}
	}
	for key, value := range records {
		if name, ok := strings.CutPrefix(key, paxXattr); ok {
			if strings.IndexByte(name, 0) >= 0 {
				return fmt.Errorf("%w: the name of an xattr has a NUL byte", ErrMember)
			}
			if name == xattrCapability {
				value = capabilityV2(value)
			}
			set(name, value)
		}
	}
	return nil
}
