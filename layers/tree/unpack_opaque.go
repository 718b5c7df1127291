package tree

import (
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// removeWhiteouts removes the whiteouts in a directory and everything below it. Below an opaque directory
// overlayfs would show them.
func removeWhiteouts(dir int) error {
	names, err := inode.ReadNames(dir)
	if err != nil {
		return err
	}
	st, err := inode.StatAt(dir, ".")
	if err != nil {
		return err
	}
	for _, name := range names {
		child, err := inode.StatAt(dir, name)
		switch {
		case err != nil:
		case inode.IsWhiteout(&child):
			err = unix.Unlinkat(dir, name, 0)
		case child.Mode&unix.S_IFMT == unix.S_IFDIR:
			var fd int
			if fd, err = inode.OpenDir(dir, name); err == nil {
				err = removeWhiteouts(fd)
				inode.CloseFD(fd)
			}
		}
		if err != nil {
			return err
		}
	}
	return inode.RootHandle(dir).Chtimes(time.Unix(st.Mtim.Unix()))
}
