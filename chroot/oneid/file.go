package oneid

import (
	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// A file is what a call is about: open for its name only, so that it stays what it is while it is worked on.
type file struct {
	r   *request
	fd  int
	st  unix.Stat_t // as the kernel has it
	via mountID

	copied bool // fd is a copy of the process's own, which may be open for more than its name
}

// named finds the file of a call by a path among the arguments.
func (r *request) named(dirfd, pathArg, flags int) (*file, error) {
	path, err := r.pathArg(pathArg)
	if err != nil {
		return nil, err
	}
	fd, err := r.open(dirfd, path, flags)
	if err != nil {
		return nil, err
	}
	return r.opened(fd)
}

// same finds the file of a call by its descriptor, with a copy of that: what is done with the file then costs no way over /proc.
func (r *request) same(fd int) (*file, error) {
	if fd < 0 {
		return nil, unix.EBADF
	}
	copied, own, err := r.take(fd)
	if err == nil && !own {
		closeFD(copied)
	}
	if err != nil || !own {
		return r.numbered(fd)
	}
	f, err := r.opened(copied)
	if err == nil {
		f.copied = true
	}
	return f, err
}

// numbered finds the file of a call by its descriptor.
func (r *request) numbered(fd int) (*file, error) {
	if fd < 0 {
		return nil, unix.EBADF
	}
	fd, err := r.openFD(fd)
	if err != nil {
		return nil, err
	}
	return r.opened(fd)
}

func (r *request) opened(fd int) (*file, error) {
	f := &file{r: r, fd: fd}
	if err := f.read(); err != nil {
		f.close()
		return nil, err
	}
	return f, nil
}

// read looks at the file.
func (f *file) read() error {
	var x unix.Statx_t
	err := retry(func() error {
		return unix.Statx(f.fd, "", unix.AT_EMPTY_PATH, unix.STATX_BASIC_STATS|unix.STATX_MNT_ID_UNIQUE, &x)
	})
	f.st, f.via = statFrom(&x), mountFrom(&x)
	return err
}

func (f *file) close() { closeFD(f.fd) }

// handle is for the records. A worker's working directory is /proc, and its root another.
func (f *file) handle() inode.Handle {
	if f.copied && carries(f.st.Mode) {
		if flags, err := unix.FcntlInt(uintptr(f.fd), unix.F_GETFL, 0); err == nil && flags&unix.O_PATH == 0 {
			return inode.OpenHandle(f.fd)
		}
	}
	return inode.FDHandle(f.fd, &f.st).Under("./")
}

// mine says whether something may be recorded on the file: it is the node's own, and so is the process. The call still waits then.
func (f *file) mine() (bool, error) {
	if home, err := f.r.atHome(); err != nil || !home {
		return false, errProceed
	}
	own, err := f.r.own(f.fd, f.via)
	if err != nil {
		return false, err
	}
	return own, f.r.valid()
}

// name is a path to the file for calls that have no form with a descriptor that was opened for its name only.
func (f *file) name() string { return itoa(f.fd) }

// carries says that files of a type can bear any record, and not only that of their owner.
func carries(mode uint32) bool {
	return mode&unix.S_IFMT == unix.S_IFREG || mode&unix.S_IFMT == unix.S_IFDIR
}
