package oneid

import (
	"encoding/binary"
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// What a process wants of a file, as the bits of a mode.
const (
	mayExecute = 1 // of a directory: search
	mayWrite   = 2
	mayRead    = 4
)

// A seen is a file with the owner and the mode that a process believes in.
type seen struct {
	*file
	own      bool // and not the host's
	mode     uint32
	uid, gid uint32
	acl      []byte // system.posix_acl_access; nil: none
}

// look finds out what a process believes of a file, whose descriptor it borrows.
func (r *request) look(fd int) (seen, error) {
	f := seen{file: &file{r: r, fd: fd}}
	if err := f.read(); err != nil {
		return f, err
	}
	f.mode, f.uid, f.gid = f.st.Mode, f.st.Uid, f.st.Gid
	var err error
	if f.own, err = r.own(fd, f.via); err != nil || !f.own {
		return f, err
	}
	owner, err := inode.OwnerOf(f.handle(), &f.st)
	if err != nil {
		return f, err
	}
	owner.Inherit(f.passedOn())
	f.uid, f.gid = owner.UID, owner.GID
	return f, f.readACL()
}

// readACL reads the access control list, the kernel's or a kept one.
func (f *seen) readACL() error {
	const name = "system.posix_acl_access"
	if f.mode&unix.S_IFMT == unix.S_IFLNK {
		return nil
	}
	value, ok, err := f.handle().Xattr(name)
	if err == nil && !ok {
		value, ok, err = inode.KeptXattr(f.handle(), name)
	}
	if ok {
		f.acl = value
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		err = nil
	}
	return err
}

// may reports whether a process may do something with a file, as the kernel's generic_permission has it.
func (c cred) may(f seen, want uint32) bool {
	if c.allowed(f)&want == want {
		return true
	}
	if f.mode&unix.S_IFMT == unix.S_IFDIR {
		return c.caps.effective.has(unix.CAP_DAC_OVERRIDE) || want&mayWrite == 0 && c.caps.effective.has(unix.CAP_DAC_READ_SEARCH)
	}
	if c.caps.effective.has(unix.CAP_DAC_READ_SEARCH) && want == mayRead {
		return true
	}
	return c.caps.effective.has(unix.CAP_DAC_OVERRIDE) && (want&mayExecute == 0 || f.mode&0o111 != 0)
}

// allowed is what the mode or the access control list of a file allows a process.
func (c cred) allowed(f seen) uint32 {
	if c.uid.fs == f.uid {
		return f.mode >> 6 & 7
	}
	if f.acl != nil && f.mode&0o070 != 0 {
		if allowed, ok := c.allowedByList(f); ok {
			return allowed
		}
	}
	if c.inGroup(f.gid) {
		return f.mode >> 3 & 7
	}
	return f.mode & 7
}

// The entries of an access control list in its xattr (linux/posix_acl_xattr.h): a version, then tag, bits and id of each.
const (
	aclVersion  = 2
	aclHeader   = 4
	aclEntry    = 8
	aclUser     = 0x02
	aclGroupObj = 0x04
	aclGroup    = 0x08
	aclMask     = 0x10
	aclOther    = 0x20
)

// allowedByList is what an access control list allows a process that is not the owner; a list that makes no sense is none.
func (c cred) allowedByList(f seen) (uint32, bool) {
	b := f.acl
	if len(b) < aclHeader || binary.LittleEndian.Uint32(b) != aclVersion || (len(b)-aclHeader)%aclEntry != 0 {
		return 0, false
	}
	mask, other, group, user := uint32(7), uint32(0), uint32(0), uint32(0)
	inGroup, isUser := false, false
	for b = b[aclHeader:]; len(b) > 0; b = b[aclEntry:] {
		bits, id := uint32(binary.LittleEndian.Uint16(b[2:])), binary.LittleEndian.Uint32(b[4:])
		switch tag := binary.LittleEndian.Uint16(b); {
		case tag == aclUser && id == c.uid.fs:
			isUser, user = true, bits
		case tag == aclGroupObj && c.inGroup(f.gid), tag == aclGroup && c.inGroup(id):
			inGroup = true
			group |= bits // one entry must have all that is wanted; the union differs from that in theory only
		case tag == aclMask:
			mask = bits
		case tag == aclOther:
			other = bits
		}
	}
	switch {
	case isUser:
		return user & mask, true
	case inGroup:
		return group & mask, true
	}
	return other, true
}

// reach reports whether a process may search the directories above one that it has named by a path, as far as that can be
// told afterwards: up to where the path began. Where it did not begin above, there is nothing to be said against it.
func (r *request) reach(c cred, dirfd int, path string, dir int) error {
	if strings.HasPrefix(path, "/proc/") {
		return nil // by a magic link
	}
	first, err := r.beginsIn(dirfd, path)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	at, err := openPath(dir, ".", unix.O_DIRECTORY)
	if err != nil {
		return err
	}
	defer func() { closeFD(at) }()
	denied := error(nil)
	for range maxAbove {
		f, err := r.look(at)
		if err != nil {
			return err
		}
		if !c.may(f, mayExecute) {
			denied = unix.EACCES
		}
		if f.st.Ino == first.Ino && f.st.Dev == first.Dev {
			return denied
		}
		above, err := openPath(at, "..", unix.O_DIRECTORY)
		if err != nil {
			return err
		}
		closeFD(at)
		at = above
		if err := unix.Fstat(at, &st); err != nil {
			return err
		}
		if st.Ino == f.st.Ino && st.Dev == f.st.Dev { // the root
			return nil
		}
	}
	return nil
}

// beginsIn is the directory that a path begins in.
func (r *request) beginsIn(dirfd int, path string) (unix.Stat_t, error) {
	var st unix.Stat_t
	start, err := r.start(dirfd, path)
	if err != nil {
		return st, err
	}
	if start == unix.AT_FDCWD { // an absolute path, and the root is the process's
		err = retry(func() error { return unix.Stat("/", &st) })
		return st, err
	}
	defer closeFD(start)
	err = retry(func() error { return unix.Fstat(start, &st) })
	return st, err
}

// maxAbove is how many directories above a file are looked at.
const maxAbove = 64
