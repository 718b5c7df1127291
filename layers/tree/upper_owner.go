package tree

import (
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// PrepareOwnUpper does what [PrepareUpper] does, outside of the namespace, where that takes no more than the rights of
// the user who made the directory, and says whether it did: where the merged root belongs to the same ids on the disk,
// and neither directory has attributes. What is the same on the disk is the same in every namespace. After false or an
// error, upper is to be prepared in a namespace.
func PrepareOwnUpper(upper string, lowers []string) (bool, error) {
	var own unix.Stat_t
	if err := unix.Lstat(upper, &own); err != nil {
		return false, fmt.Errorf("prepare the upper directory %s: %w", upper, err)
	}
	if !bare(upper) || int(own.Uid) != os.Geteuid() || int(own.Gid) != os.Getegid() {
		return false, nil
	}
	mode, mtime := uint32(0o755), unix.NsecToTimespec(time.Unix(0, 0).UnixNano()) // of a root that no layer describes
	for _, dir := range lowers {
		if implied(dir) {
			continue // some layer below may describe the root
		}
		var st unix.Stat_t
		if err := unix.Lstat(dir, &st); err != nil {
			return false, fmt.Errorf("prepare the upper directory %s: %w", upper, err)
		}
		if st.Mode&unix.S_IFMT != unix.S_IFDIR || !bare(dir) || st.Uid != own.Uid || st.Gid != own.Gid {
			return false, nil
		}
		mode, mtime = st.Mode&0o7777, st.Mtim
		break
	}
	if err := unix.Chmod(upper, mode); err != nil {
		return false, fmt.Errorf("prepare the upper directory %s: %w", upper, err)
	}
	times := []unix.Timespec{mtime, mtime}
	if err := unix.UtimesNanoAt(unix.AT_FDCWD, upper, times, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return false, fmt.Errorf("prepare the upper directory %s: %w", upper, err)
	}
	return true, nil
}

// bare says that a file has no extended attribute at all.
func bare(path string) bool {
	n, err := unix.Llistxattr(path, nil)
	return err == nil && n == 0
}

// implied says that a layer directory has the mark of a root that its layer does not describe, and nothing else.
func implied(dir string) bool {
	names := make([]byte, len(layers.XattrImplied)+1)
	n, err := unix.Llistxattr(dir, names)
	return err == nil && n == len(names) && string(names[:n-1]) == layers.XattrImplied
}
