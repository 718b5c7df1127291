package oneid

import (
	"errors"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// What a process makes belongs to its file system ids. Where these are not the kernel's own, the supervisor makes it, in the
// directory that the process has named, records the owner, and hands over what was opened. What such a process may not make,
// for the mode of the directory, it is told; nothing else of who may do what is looked at.

// A making is something that is to be made in a directory.
type making struct {
	r    *request
	c    cred
	dir  seen // its directory
	name string
	mode uint32 // as the process wants it, less its umask
	list []byte // the directory's default access control list, if only a record tells it
}

// maker returns the credentials of a process that makes files which are not as the kernel would make them: not id 0's, or in a
// directory with a list of access that the kernel does not know.
func (r *request) maker() (cred, bool) {
	c, _, err := r.creds()
	return c, err == nil && (!c.makesRoots() || r.w.lists.Load())
}

// makesRoots says that what a process makes is id 0's.
func (c cred) makesRoots() bool { return c.uid.fs == 0 && c.gid.fs == 0 }

// making opens the directory in which something is to be made; done closes it. errProceed: the kernel is to answer.
func (r *request) making(c cred, dirfd int, path string, mode uint32) (*making, error) {
	fd, name, err := r.openParent(dirfd, path)
	if err != nil {
		return nil, err
	}
	m := &making{r: r, c: c, name: name}
	if err := m.enter(fd, dirfd, path, mode); err != nil {
		closeFD(fd)
		return nil, err
	}
	return m, nil
}

func (m *making) enter(fd, dirfd int, path string, mode uint32) error {
	var err error
	if m.dir, err = m.r.look(fd); err != nil {
		return err
	}
	if !m.dir.own {
		return errProceed
	}
	if m.list, err = m.r.keptDefault(m.dir.file); err != nil {
		return err
	}
	if m.c.makesRoots() {
		if home, err := m.r.atHome(); m.list == nil || err != nil || !home {
			return errProceed
		}
	}
	if m.dir.mode&unix.S_IFMT != unix.S_IFDIR {
		return unix.ENOTDIR
	}
	m.mode = mode
	if !m.c.may(m.dir, mayExecute) {
		return unix.EACCES
	}
	return m.r.reach(m.c, dirfd, path, fd)
}

func (m *making) done() { closeFD(m.dir.fd) }

// exists reports whether there is something of the name.
func (m *making) exists() (unix.Stat_t, bool, error) {
	var st unix.Stat_t
	err := retry(func() error { return unix.Fstatat(m.dir.fd, m.name, &st, unix.AT_SYMLINK_NOFOLLOW) })
	if errors.Is(err, unix.ENOENT) {
		return st, false, nil
	}
	return st, err == nil, err
}

// prepare sees that the process may make something of that name, and takes its umask from the mode.
func (m *making) prepare() error {
	_, is, err := m.exists()
	if err != nil {
		return err
	}
	if is {
		return unix.EEXIST
	}
	return m.allow()
}

// allow is what is left of that where nothing can be of the name.
func (m *making) allow() error {
	if !m.c.may(m.dir, mayWrite|mayExecute) {
		return unix.EACCES
	}
	if m.list != nil {
		m.mode = maskedBy(m.list, m.mode)
	} else if !m.hasDefaultList() {
		mask, err := m.r.status("Umask:", 8)
		if err != nil {
			return err
		}
		m.mode &^= uint32(mask) & 0o777
	}
	setgid := m.dir.mode&unix.S_ISGID != 0 && m.mode&(unix.S_ISGID|unix.S_IXGRP) == unix.S_ISGID|unix.S_IXGRP
	if setgid && !m.c.inGroup(m.dir.gid) && !m.c.caps.effective.has(unix.CAP_FSETID) {
		m.mode &^= unix.S_ISGID
	}
	return m.r.valid()
}

// hasDefaultList reports whether the directory has a default access control list, which holds in place of the umask.
func (m *making) hasDefaultList() bool {
	_, ok, err := m.dir.handle().Xattr("system.posix_acl_default")
	return ok && err == nil
}

// give gives what was made, and opened for its name at least, to the process.
func (m *making) give(fd int) error {
	f := file{r: m.r, fd: fd}
	if err := retry(func() error { return unix.Fstat(fd, &f.st) }); err != nil {
		return err
	}
	if err := m.giveList(&f); err != nil || m.c.makesRoots() {
		return err
	}
	gid := m.c.gid.fs
	if m.dir.mode&unix.S_ISGID != 0 {
		gid = m.dir.gid
	}
	if err := retry(func() error { return inode.Chown(f.handle(), &f.st, m.c.uid.fs, gid, inode.AnyDirectory()) }); err != nil {
		return err
	}
	if f.st.Mode&unix.S_IFMT == unix.S_IFREG && f.st.Mode&(unix.S_ISUID|unix.S_ISGID) != 0 {
		return retry(func() error { return unix.Chmod(f.name(), f.st.Mode&0o7777) }) // which chown has cleared
	}
	return nil
}

// giveName gives away what was made under the name, or takes it away where that fails.
func (m *making) giveName() error {
	fd, err := openPath(m.dir.fd, m.name, unix.O_NOFOLLOW)
	if err != nil {
		return err
	}
	defer closeFD(fd)
	if err = m.give(fd); err != nil {
		m.unmake(fd)
	}
	return err
}

// unmake removes what was made and could not be given away.
func (m *making) unmake(fd int) {
	var st unix.Stat_t
	flags := 0
	if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR {
		flags = unix.AT_REMOVEDIR
	}
	if err := unix.Unlinkat(m.dir.fd, m.name, flags); err != nil {
		m.r.w.o.Log.Debug("what was made remains", "error", err)
	}
}

// make makes something that is not opened.
func (r *request) make(dirfd int, path string, mode uint32, do func(m *making) error) answer {
	c, is := r.maker()
	if !is {
		return proceed()
	}
	m, err := r.making(c, dirfd, path, mode)
	if err != nil {
		return failed(err)
	}
	defer m.done()
	if err := m.prepare(); err != nil {
		return failed(err)
	}
	if err := retry(func() error { return do(m) }); err != nil {
		return failed(err)
	}
	if err := m.giveName(); err != nil {
		return failed(err)
	}
	return succeed(0)
}

// mkdir is mkdir(2), which allows slashes behind the name.
func (r *request) mkdir(dirfd, arg int) answer {
	path, err := r.pathArg(arg)
	if err != nil {
		return proceed()
	}
	return r.make(dirfd, trimSlashes(path), r.u32(arg+1)&0o1777, func(m *making) error { return unix.Mkdirat(m.dir.fd, m.name, m.mode) })
}

// trimSlashes takes slashes off the end of a path, where the kernel allows them.
func trimSlashes(path string) string {
	if trimmed := strings.TrimRight(path, "/"); trimmed != "" {
		return trimmed
	}
	return path
}

// symlink is symlink(2).
func (r *request) symlink(dirfd, arg int) answer {
	path, err := r.pathArg(arg)
	if err != nil {
		return proceed()
	}
	target, err := r.pathArg(0)
	if err != nil || target == "" {
		return proceed()
	}
	return r.make(dirfd, path, 0, func(m *making) error { return unix.Symlinkat(target, m.dir.fd, m.name) })
}

// makeNode is mknod(2) of what is no device.
func (r *request) makeNode(dirfd, arg int) answer {
	path, err := r.pathArg(arg)
	if err != nil {
		return proceed()
	}
	mode := r.u32(arg + 1)
	switch mode & unix.S_IFMT {
	case 0, unix.S_IFREG, unix.S_IFIFO, unix.S_IFSOCK:
	default:
		return proceed() // EPERM for a directory, EINVAL for the rest
	}
	return r.make(dirfd, path, mode, func(m *making) error { return unix.Mknodat(m.dir.fd, m.name, m.mode, 0) })
}
