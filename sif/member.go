package sif

import (
	"archive/tar"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/url"
	"path"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/sif/squashfs"
)

// What a layer may not hold. All of them mean that no image has been written.
var (
	ErrName       = errors.New("illegal name")   // absolute, with "..", too long, or a reserved whiteout name
	ErrMember     = errors.New("illegal member") // of unknown type, or with numbers that no file system holds
	ErrThrough    = errors.New("stands below something that is not a directory in the same layer")
	ErrLinkTarget = errors.New("hard link to something that is not there")
)

// cleanName returns the slash path of a member below the root: "" for the root itself.
func cleanName(name string) (string, error) {
	if strings.HasPrefix(name, "/") {
		return "", fmt.Errorf("%w: absolute", ErrName)
	}
	return cleanRel(name)
}

// cleanTarget is cleanName for the target of a hard link. Writers that strip the leading slash of a name
// do not all strip it here, and it can only mean the root of the image.
func cleanTarget(name string) (string, error) {
	p, err := cleanRel(strings.TrimLeft(name, "/"))
	if err == nil && p == "" {
		err = fmt.Errorf("%w: names the root", ErrName)
	}
	return p, err
}

func cleanRel(name string) (string, error) {
	if len(name) > maxPath {
		return "", fmt.Errorf("%w: longer than %d bytes", ErrName, maxPath)
	}
	if strings.IndexByte(name, 0) >= 0 {
		return "", fmt.Errorf("%w: has a zero byte", ErrName)
	}
	for rest := name; rest != ""; {
		var part string
		part, rest, _ = strings.Cut(rest, "/")
		if part == ".." {
			return "", fmt.Errorf("%w: has \"..\"", ErrName)
		}
		if len(part) > maxNameLen {
			return "", fmt.Errorf("%w: a part is longer than %d bytes", ErrName, maxNameLen)
		}
	}
	p := path.Clean(name) // does not allocate when there is nothing to clean
	if p == "." {
		return "", nil
	}
	return p, nil
}

// splitPath cuts a clean path into its directory ("" for the root) and its last name.
func splitPath(p string) (dir, base string) {
	i := strings.LastIndexByte(p, '/')
	if i < 0 {
		return "", p
	}
	return p[:i], p[i+1:]
}

// A converter turns the headers of tar members into squashfs entries.
type converter struct {
	epoch time.Time // times later than this are set to it, unless it is zero
	info  *Info     // counts what could not be kept
}

// entry returns what hdr describes, under the name path. Hard links have no entry of their own.
func (c *converter) entry(hdr *tar.Header, path string) (squashfs.Entry, error) {
	e := squashfs.Entry{Path: path}
	var typ uint32
	switch hdr.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		typ = unix.S_IFREG
		if hdr.Size < 0 {
			return e, fmt.Errorf("%w: negative size", ErrMember)
		}
		e.Size = hdr.Size
	case tar.TypeDir:
		typ = unix.S_IFDIR
	case tar.TypeSymlink:
		typ = unix.S_IFLNK
		if hdr.Linkname == "" {
			return e, fmt.Errorf("%w: symbolic link to nothing", ErrMember)
		}
		e.Target = hdr.Linkname
	case tar.TypeChar:
		typ = unix.S_IFCHR
	case tar.TypeBlock:
		typ = unix.S_IFBLK
	case tar.TypeFifo:
		typ = unix.S_IFIFO
	default:
		return e, fmt.Errorf("%w: type %q", ErrMember, hdr.Typeflag)
	}
	e.Mode = typ | uint32(hdr.Mode)&0o7777
	if typ == unix.S_IFLNK {
		e.Mode = typ | 0o777 // the mode of a link means nothing, and writers of tar disagree on it
	}
	var err error
	if e.UID, err = id("user", hdr.Uid); err != nil {
		return e, err
	}
	if e.GID, err = id("group", hdr.Gid); err != nil {
		return e, err
	}
	if typ == unix.S_IFCHR || typ == unix.S_IFBLK {
		// The kernel's own limits, which are those of squashfs: 12 bits and 20 bits.
		if hdr.Devmajor < 0 || hdr.Devmajor >= 1<<12 || hdr.Devminor < 0 || hdr.Devminor >= 1<<20 {
			return e, fmt.Errorf("%w: device %d:%d is out of range", ErrMember, hdr.Devmajor, hdr.Devminor)
		}
		e.Major, e.Minor = uint32(hdr.Devmajor), uint32(hdr.Devminor)
	}
	e.ModTime = c.time(hdr.ModTime)
	if len(hdr.PAXRecords) > 0 {
		if e.Xattrs, err = c.xattrs(hdr.PAXRecords); err != nil {
			return e, err
		}
	}
	return e, nil
}

// id checks a user or group id: 2^32-1 is -1, which no file can have.
func id(what string, v int) (uint32, error) {
	n := int64(v)
	if strconv.IntSize == 32 {
		n = int64(uint32(v)) // archive/tar has cut it to an int already
	}
	if n < 0 || n >= math.MaxUint32 {
		return 0, fmt.Errorf("%w: %s id %d is out of range", ErrMember, what, v)
	}
	return uint32(n), nil
}

// time brings t into what squashfs holds, whole seconds in 32 bits, and before the epoch asked for.
func (c *converter) time(t time.Time) time.Time {
	if !c.epoch.IsZero() && t.After(c.epoch) {
		t = c.epoch
	}
	switch s := t.Unix(); {
	case s < 0:
		c.info.ClampedTimes++
		return time.Unix(0, 0)
	case s > math.MaxUint32:
		c.info.ClampedTimes++
		return time.Unix(math.MaxUint32, 0)
	default:
		return time.Unix(s, 0)
	}
}

const (
	paxXattr        = "SCHILY.xattr."     // star, GNU tar, Go and OCI: the value as it is
	paxXattrArchive = "LIBARCHIVE.xattr." // libarchive: the name percent-encoded, the value in base64
	paxACL          = "SCHILY.acl."       // star, GNU tar: an access control list as text
)

// xattrs picks the extended attributes out of a member's PAX records. Squashfs holds user, trusted and
// security ones; all others (POSIX access control lists among them) are counted in Info.DroppedXattrs.
func (c *converter) xattrs(records map[string]string) (map[string]string, error) {
	var out map[string]string
	for key, value := range records { // the order does not matter: it goes into a map, and the count is a sum
		var name string
		switch {
		case strings.HasPrefix(key, paxXattr):
			name = key[len(paxXattr):]
		case strings.HasPrefix(key, paxXattrArchive):
			var err error
			if name, err = url.PathUnescape(key[len(paxXattrArchive):]); err != nil {
				return nil, fmt.Errorf("%w: extended attribute %q: %w", ErrMember, key, err)
			}
			if _, ok := records[paxXattr+name]; ok {
				continue // libarchive writes both forms
			}
			b, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(value, "="))
			if err != nil {
				return nil, fmt.Errorf("%w: extended attribute %q: %w", ErrMember, key, err)
			}
			value = string(b)
		case strings.HasPrefix(key, paxACL):
			c.info.DroppedXattrs++
			continue
		default:
			continue
		}
		if !storable(name) {
			c.info.DroppedXattrs++
			continue
		}
		if out == nil {
			out = make(map[string]string)
		}
		out[name] = value
	}
	return out, nil
}

// storable says whether squashfs has a place for an extended attribute of this name.
func storable(name string) bool {
	for _, p := range []string{"user.", "trusted.", "security."} {
		if len(name) > len(p) && strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}
