package squashfs

import (
	"errors"
	"fmt"
	"strings"
	"time"
)

// Entry describes one file, directory, link or device.
type Entry struct {
	// Path is slash-separated, relative to the root of the filesystem; a leading "/" or "./" and a
	// trailing "/" do not count. "" and "." are the root itself. ".." is refused.
	Path string
	// Mode has the file type and permission bits of stat(2): S_IFREG|0o644.
	Mode uint32
	UID  uint32
	GID  uint32
	// ModTime is cut to whole seconds and clamped to 1970–2106. Zero means 1970.
	ModTime time.Time
	// Major and Minor are the number of a block or character device: up to 4095 and 1048575.
	Major uint32
	Minor uint32
	// Target of a symbolic link: 1 to 4095 bytes.
	Target string
	// Xattrs by their full names, which begin with "user.", "trusted." or "security.". Values are up to
	// 64 KiB, as in Linux.
	Xattrs map[string]string
	// Size of a regular file's data in bytes; ignored for anything else.
	Size int64
}

// inode checks an entry and turns it into an inode without data. What it enters in the tables of the
// writer stays there even if the entry is refused later, and does no harm.
func (w *Writer) inode(e *Entry) (inode, error) {
	in := inode{mtime: unixTime(e.ModTime), nlink: 1, mode: uint16(e.Mode & (modeType | modePerm)), xattr: noXattr}
	if e.Mode&^(modeType|modePerm) != 0 || typeOf(e.Mode) == 0 {
		return in, fmt.Errorf("mode %#o: not a file type with permissions", e.Mode)
	}
	switch e.Mode & modeType {
	case modeFile:
		if e.Size < 0 {
			return in, fmt.Errorf("size %d: negative", e.Size)
		}
	case modeSymlink:
		if e.Target == "" || strings.IndexByte(e.Target, 0) >= 0 {
			return in, fmt.Errorf("symbolic link to %q: not a target", e.Target)
		}
		if len(e.Target) > maxTarget {
			return in, fmt.Errorf("symbolic link to %d bytes: %w (%d)", len(e.Target), errLimit, maxTarget)
		}
	case modeBlock, modeChar:
		if e.Major > maxMajor || e.Minor > maxMinor {
			return in, fmt.Errorf("device number %d:%d: %w (%d:%d)", e.Major, e.Minor, errLimit, maxMajor, maxMinor)
		}
		in.data = uint64(encodeDevice(e.Major, e.Minor))
	}
	var errs [3]error
	in.uid, errs[0] = w.ids.index(e.UID)
	in.gid, errs[1] = w.ids.index(e.GID)
	in.xattr, errs[2] = w.xattrs.id(e.Xattrs)
	return in, errors.Join(errs[:]...)
}
