package inode

import (
	"strconv"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// With a single id a store belongs to its user alone, who is to get rid of it with `rm -rf`. A directory that its owner
// may not read, write or enter, and that is not empty, would prevent that. So on the disk it has these rights, and the
// sticky bit, and a record of its mode:
//
//	0555    on the disk 01755, xattr user.xtoo.mode = "555"
//
// The sticky bit is there to tell what a script does to it since: to any other mode than the one on the disk, and then the
// record counts no more. What cannot be told apart is a script that sets just that mode, sticky bit included.
const needed = 0o700

// onDisk returns the mode that stands for another.
func onDisk(mode uint32) uint32 { return mode | needed | unix.S_ISVTX }

// needsMode reports whether a file's mode is one that is recorded under the map of ids that nobody is of.
func needsMode(mode uint32, nobody owner) bool {
	single := nobody == owner{}
	return single && mode&unix.S_IFMT == unix.S_IFDIR && mode&needed != needed
}

// setMode sets the permission bits of a file. stale says that there may be a record to remove.
func setMode(h Handle, mode uint32, stale bool) error {
	nobody, err := standIn()
	if err != nil {
		return err
	}
	if needsMode(mode, nobody) {
		if err := h.SetXattr(layers.XattrMode, []byte(strconv.FormatUint(uint64(mode&0o7777), 8))); err != nil {
			return NoUserXattrs(err)
		}
		return h.chmod(onDisk(mode & 0o7777))
	}
	if stale && mode&unix.S_IFMT == unix.S_IFDIR {
		if err := h.RemoveXattr(layers.XattrMode); err != nil {
			return err
		}
	}
	return h.chmod(mode & 0o7777)
}

// parseMode returns the mode, with its type, that a record says a directory has. ok is false if the record counts no more.
func parseMode(mode uint32, value string) (recorded uint32, ok bool) {
	v, err := strconv.ParseUint(value, 8, 32)
	if err != nil || v > 0o7777 || mode&unix.S_IFMT != unix.S_IFDIR || uint32(v)&needed == needed || mode&0o7777 != onDisk(uint32(v)) {
		return mode, false
	}
	return unix.S_IFDIR | uint32(v), true
}

// ModeOf returns the recorded mode of a directory, else mode, which the file has on the disk. It costs nothing but for
// directories with the sticky bit.
func ModeOf(h Handle, mode uint32) (uint32, error) {
	if mode&unix.S_IFMT != unix.S_IFDIR || mode&onDisk(0) != onDisk(0) {
		return mode, nil
	}
	value, ok, err := h.Xattr(layers.XattrMode)
	if err != nil || !ok {
		return mode, err
	}
	recorded, _ := parseMode(mode, string(value))
	return recorded, nil
}

// NeedsMode reports whether a directory's mode is to be recorded, and is not.
func (m *Meta) NeedsMode() bool { return m.Disk.modeDue }
