package unpack

import (
	"archive/tar"
	"fmt"
	"math"
	"strings"
	"time"
)

// What a member may say about itself. Linux knows device numbers of 12 and 20 bits; the id 2^32-1 means
// "no id" to it; times are printed with four digits of the year.
const (
	maxMajor = 1<<12 - 1
	maxMinor = 1<<20 - 1
	maxID    = math.MaxUint32 - 1
	maxMode  = 0o177777 // permissions, and the type that some programs put before them
)

var (
	earliest = time.Date(1, 1, 1, 0, 0, 0, 0, time.UTC)
	latest   = time.Date(9999, 12, 31, 23, 59, 59, 999999999, time.UTC)
)

// checkMember verifies all that a member says about itself, and returns what it is and its clean path;
// of a hard link, the target's clean path as well.
func checkMember(m member, limits Limits) (k kind, clean, target string, err error) {
	h := m.hdr
	if clean, err = cleanName(h.Name); err != nil {
		return 0, "", "", err
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeGNUSparse, tar.TypeLink:
		k = kindFile
	case tar.TypeDir:
		k = kindDir
	case tar.TypeSymlink:
		k = kindLink
	case tar.TypeChar, tar.TypeBlock, tar.TypeFifo:
		k = kindOther
	default:
		return 0, "", "", fmt.Errorf("unknown kind of member %q", h.Typeflag)
	}
	switch {
	case k != kindDir && (clean == "" || strings.HasSuffix(h.Name, "/")):
		err = fmt.Errorf("the name is a directory's, but the member is none")
	case m.size != 0 && (h.Typeflag != tar.TypeReg && h.Typeflag != tar.TypeGNUSparse):
		err = fmt.Errorf("a member of this kind has no data, but it is said to have %d bytes", m.size)
	case m.size < 0 || h.Size < 0:
		err = fmt.Errorf("negative size")
	case m.size > limits.FileSize || h.Size > limits.FileSize:
		err = fmt.Errorf("size of %d bytes, the limit is %d", max(m.size, h.Size), limits.FileSize)
	case h.Uid < 0 || int64(h.Uid) > maxID:
		err = fmt.Errorf("owner %d out of range", h.Uid)
	case h.Gid < 0 || int64(h.Gid) > maxID:
		err = fmt.Errorf("group %d out of range", h.Gid)
	case h.Mode < 0 || h.Mode > maxMode:
		err = fmt.Errorf("mode %o out of range", h.Mode)
	case h.ModTime.Before(earliest) || h.ModTime.After(latest):
		err = fmt.Errorf("time %d out of range", h.ModTime.Unix())
	case h.Typeflag == tar.TypeSymlink:
		err = checkSymlink(h.Linkname)
	case h.Typeflag == tar.TypeLink:
		if target, err = cleanName(h.Linkname); err != nil {
			err = fmt.Errorf("hard link to %q: %w", h.Linkname, err)
		}
	case h.Typeflag == tar.TypeChar || h.Typeflag == tar.TypeBlock:
		err = checkDevice(h)
	}
	return k, clean, target, err
}

func checkSymlink(target string) error {
	switch {
	case target == "":
		return fmt.Errorf("symbolic link to nothing")
	case len(target) >= maxName:
		return fmt.Errorf("symbolic link to a name of %d bytes, the limit is %d", len(target), maxName-1)
	}
	return nil
}

func checkDevice(h *tar.Header) error {
	switch {
	case h.Devmajor < 0 || h.Devmajor > maxMajor || h.Devminor < 0 || h.Devminor > maxMinor:
		return fmt.Errorf("device number %d:%d out of range", h.Devmajor, h.Devminor)
	case h.Typeflag == tar.TypeChar && h.Devmajor == 0 && h.Devminor == 0:
		return fmt.Errorf("character device 0:0 would read as a whiteout in a layer directory")
	}
	return nil
}
