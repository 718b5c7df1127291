package oneid

import (
	"errors"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// nodeCalls are those that make device nodes, which no user namespace may; with one id also fifos and the like, which are somebody's.
func (m Mode) nodeCalls() []call {
	device := func(arg int) [][]test {
		if m.single() {
			return nil
		}
		return [][]test{{is(arg, unix.S_IFMT, unix.S_IFCHR)}, {is(arg, unix.S_IFMT, unix.S_IFBLK)}}
	}
	return []call{
		{name: "mknod", nr: numbers{133, 14, none, 14}, when: device(1), do: func(r *request) answer {
			return r.mknod(unix.AT_FDCWD, 0, r.u32(1), r.u32(2))
		}},
		{name: "mknodat", nr: numbers{259, 297, 33, 324}, when: device(2), do: func(r *request) answer {
			return r.mknod(r.fd(0), 1, r.u32(2), r.u32(3))
		}},
	}
}

// mknod is mknodat(2) of a device: an empty file that stands for one. Character device 0:0 is overlayfs's sign for nothing,
// which the kernel refuses.
func (r *request) mknod(dirfd, pathArg int, mode, dev uint32) answer {
	if kind := mode & unix.S_IFMT; kind != unix.S_IFCHR && kind != unix.S_IFBLK {
		return r.makeNode(dirfd, pathArg)
	}
	major, minor := unix.Major(uint64(dev)), unix.Minor(uint64(dev))
	if mode&unix.S_IFMT == unix.S_IFCHR && major == 0 && minor == 0 {
		return proceed()
	}
	path, err := r.pathArg(pathArg)
	if err != nil {
		return proceed()
	}
	at, name, err := r.openParent(dirfd, path)
	if err != nil {
		return proceed()
	}
	dir, err := r.opened(at)
	if err != nil {
		return fail(err)
	}
	defer dir.close()
	if may, err := r.holds(unix.CAP_MKNOD); err != nil || !may {
		return answer{errno: unix.EPERM}
	}
	umask, err := r.status("Umask:", 8)
	if err != nil {
		return fail(err)
	}
	if mine, err := dir.mine(); err != nil || !mine {
		return proceed() // the host's: nobody makes devices there
	}
	if r.w.unread() {
		return answer{sent: true}
	}
	list, err := r.keptDefault(dir)
	if err != nil {
		return fail(err)
	}
	if list != nil {
		mode, umask = maskedBy(list, mode), 0
	}
	if err := dir.makeDevice(name, mode, major, minor, uint32(umask), list); err != nil {
		return fail(err)
	}
	return succeed(0)
}

// makeDevice makes it in the directory f, which has that default list of access, if it is one that only a record tells. What was made is removed after an error.
func (f *file) makeDevice(name string, mode, major, minor, umask uint32, list []byte) error {
	// With the mask of the process, which counts where the directory has no default list.
	unix.Umask(int(umask))
	err := retry(func() error { return unix.Mknodat(f.fd, name, unix.S_IFREG|mode&0o7777, 0) })
	unix.Umask(0)
	if err != nil {
		return err
	}
	fd, err := openPath(f.fd, name, unix.O_NOFOLLOW)
	if err != nil {
		return err // somebody has removed it
	}
	made, err := f.r.opened(fd)
	if err != nil {
		return err
	}
	defer made.close()
	if made.st.Mode&unix.S_IFMT != unix.S_IFREG || made.st.Size != 0 || made.st.Nlink != 1 {
		return unix.EEXIST // somebody has put another in its place
	}
	err = inode.RecordDevice(made.handle(), mode&unix.S_IFMT, major, minor)
	if err == nil && list != nil {
		err = made.keepList(list)
	}
	if err != nil {
		return errors.Join(err, unix.Unlinkat(f.fd, name, 0))
	}
	return nil
}
