package tree

import (
	"archive/tar"
	"fmt"
	"math"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// Keys of extended headers, as star and GNU tar write them.
const (
	paxXattr      = "SCHILY.xattr."
	paxACL        = "SCHILY.acl.access"
	paxDefaultACL = "SCHILY.acl.default"
)

// headerMeta returns what a member's header says. The type of a hard link is that of a regular file.
func headerMeta(hdr *tar.Header) (*inode.Meta, error) {
	mtime, err := unix.TimeToTimespec(hdr.ModTime)
	if err != nil { // beyond 2038 on a 32-bit machine
		return nil, fmt.Errorf("time %s: %w", hdr.ModTime, err)
	}
	m := &inode.Meta{Mode: uint32(hdr.Mode) & 0o7777, ModTime: mtime}
	switch hdr.Typeflag {
	case tar.TypeReg, tar.TypeRegA, tar.TypeCont, tar.TypeGNUSparse: //nolint:staticcheck // old archives have TypeRegA
		m.Mode |= unix.S_IFREG
		m.Size = hdr.Size
	case tar.TypeLink:
		m.Mode |= unix.S_IFREG
	case tar.TypeDir:
		m.Mode |= unix.S_IFDIR
	case tar.TypeSymlink:
		m.Mode |= unix.S_IFLNK
		m.Target = hdr.Linkname
		if m.Target == "" {
			return nil, fmt.Errorf("%w: a symbolic link to nothing", layers.ErrMember)
		}
	case tar.TypeFifo:
		m.Mode |= unix.S_IFIFO
	case tar.TypeChar:
		m.Mode |= unix.S_IFCHR
	case tar.TypeBlock:
		m.Mode |= unix.S_IFBLK
	default:
		return nil, fmt.Errorf("%w: type %q", layers.ErrMember, hdr.Typeflag)
	}
	if m.Size < 0 {
		return nil, fmt.Errorf("%w: size %d", layers.ErrMember, m.Size)
	}
	// The highest id is the kernel's "leave it".
	if hdr.Uid < 0 || hdr.Gid < 0 || int64(hdr.Uid) >= math.MaxUint32 || int64(hdr.Gid) >= math.MaxUint32 {
		return nil, fmt.Errorf("%w: owner %d:%d", layers.ErrMember, hdr.Uid, hdr.Gid)
	}
	m.UID, m.GID = uint32(hdr.Uid), uint32(hdr.Gid)
	if m.IsDevice() {
		if !inode.ValidDevice(hdr.Devmajor, hdr.Devminor) {
			return nil, fmt.Errorf("%w: device %d:%d", layers.ErrMember, hdr.Devmajor, hdr.Devminor)
		}
		m.Major, m.Minor = uint32(hdr.Devmajor), uint32(hdr.Devminor)
	}
	return m, addXattrs(m, hdr.PAXRecords)
}

// addXattrs takes xattrs and access control lists from the records of an extended header.
func addXattrs(m *inode.Meta, records map[string]string) error {
	set := func(name, value string) {
		if m.Xattrs == nil {
			m.Xattrs = map[string]string{}
		}
		m.Xattrs[name] = value
	}
	for key, name := range map[string]string{paxACL: layers.XattrACL, paxDefaultACL: layers.XattrDefaultACL} {
		text := strings.TrimSpace(records[key])
		if text == "" {
			continue
		}
		value, err := layers.ParseACL(text)
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
				return fmt.Errorf("%w: the name of an xattr has a NUL byte", layers.ErrMember)
			}
			if name == layers.XattrCapability {
				value = layers.CapabilityV2(value)
			}
			set(name, value)
		}
	}
	return nil
}
