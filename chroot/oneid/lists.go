package oneid

import (
	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// A directory's default access control list holds, in place of the umask, for what is made in it (acl(5)). The kernel sees to that
// where it knows all ids in it. Where a record has the list, the supervisor does.

// keptDefault is the default list of a directory that only a record tells; nil: none.
func (r *request) keptDefault(dir *file) ([]byte, error) {
	if !r.w.lists.Load() || dir.st.Mode&unix.S_IFMT != unix.S_IFDIR {
		return nil, nil
	}
	value, ok, err := inode.KeptXattr(dir.handle(), layers.XattrDefaultACL)
	if err != nil || !ok {
		return nil, err
	}
	return value, nil
}

// maskedBy is the mode that something gets which is made with a mode where a list is the default.
func maskedBy(list []byte, mode uint32) uint32 {
	perm, _, ok := layers.ACLWithin(string(list), func(uint32, bool) bool { return true })
	if !ok {
		return mode
	}
	return mode &^ (0o777 &^ perm)
}

// giveList gives what was made in the directory the list that follows from the directory's.
func (m *making) giveList(f *file) error {
	if m.list == nil || f.st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil
	}
	if !carries(f.st.Mode) {
		m.r.w.lost.add("the list of access of a fifo or a socket, with ids that this user does not have")
		return nil
	}
	if f.st.Mode&unix.S_IFMT == unix.S_IFDIR {
		if err := inode.KeepXattr(f.handle(), layers.XattrDefaultACL, m.list, 0); err != nil {
			return err
		}
	}
	return f.keepList(m.list)
}

// keepList records the list of access of a file that has just been made where list is the default.
func (f *file) keepList(list []byte) error {
	return inode.KeepXattr(f.handle(), layers.XattrACL, []byte(layers.ACLOfMode(string(list), f.st.Mode)), 0)
}
