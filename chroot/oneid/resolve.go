package oneid

import (
	"errors"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

func itoa(n int) string { return strconv.Itoa(n) }

// enter gives this thread the root of the calling one, so that absolute links and ".." lead where they lead for that. The
// working directory stays among this process's open files.
func (r *request) enter() error {
	if r.entered || r.w.entered && r.w.world.shared() {
		return nil
	}
	err := retry(func() error { return unix.Chroot(r.proc("root")) })
	r.entered, r.w.entered = err == nil, err == nil
	return err
}

// open opens, for its name only, the file that a call means by a descriptor of a directory and a path. flags are AT_SYMLINK_NOFOLLOW and AT_EMPTY_PATH.
// Nothing but files that the process could name itself is ever returned. The caller closes it.
func (r *request) open(dirfd int, path string, flags int) (int, error) {
	if path == "" {
		if flags&unix.AT_EMPTY_PATH == 0 {
			return -1, unix.ENOENT
		}
		return r.openFD(dirfd)
	}
	if err := r.enter(); err != nil {
		return -1, err
	}
	start, err := r.start(dirfd, path)
	if err != nil {
		return -1, err
	}
	defer closeFD(start)
	how := unix.OpenHow{Flags: unix.O_PATH | unix.O_CLOEXEC, Resolve: unix.RESOLVE_NO_MAGICLINKS}
	if flags&unix.AT_SYMLINK_NOFOLLOW != 0 {
		how.Flags |= unix.O_NOFOLLOW
	}
	fd := -1
	err = retry(func() (err error) {
		fd, err = unix.Openat2(start, path, &how)
		return err
	})
	byMagic := errors.Is(err, unix.ELOOP) || errors.Is(err, unix.ENOSYS) ||
		errors.Is(err, unix.ENOENT) && mentionsProc(path) // init has not as many files open
	if err == nil || !byMagic {
		// Where a link leads over /proc/self without a magic one this is init's file in place of the process's, of /proc all
		// the same, where nothing is ever recorded.
		return fd, err
	}
	w := walk{r: r}
	return w.from(start, path, flags&unix.AT_SYMLINK_NOFOLLOW == 0)
}

// start opens the directory that a path begins in: none for an absolute one.
func (r *request) start(dirfd int, path string) (int, error) {
	if path[0] == '/' {
		return unix.AT_FDCWD, nil
	}
	return r.openFD(dirfd)
}

// openFD opens a file that the process has open, or its working directory, for its name only.
func (r *request) openFD(n int) (int, error) {
	if n == unix.AT_FDCWD {
		return openPath(unix.AT_FDCWD, r.proc("cwd"), 0)
	}
	if n < 0 {
		return -1, unix.EBADF
	}
	fd, err := openPath(unix.AT_FDCWD, r.proc("fd/"+itoa(n)), 0)
	if errors.Is(err, unix.ENOENT) {
		err = unix.EBADF
	}
	return fd, err
}

// openParent opens the directory in which a call makes something, and returns the name. The caller closes it.
func (r *request) openParent(dirfd int, path string) (int, string, error) {
	dir, name := ".", strings.TrimRight(path, "/")
	if name != path || name == "" { // the kernel knows best what a slash at the end means
		return -1, "", errProceed
	}
	if i := strings.LastIndexByte(name, '/'); i >= 0 {
		dir, name = name[:i+1], name[i+1:]
	}
	if name == "." || name == ".." {
		return -1, "", errProceed
	}
	fd, err := r.open(dirfd, dir, 0)
	return fd, name, err
}

// openPath opens a file for its name only.
func openPath(dir int, path string, flags int) (int, error) {
	fd := -1
	err := retry(func() (err error) {
		fd, err = unix.Openat(dir, path, unix.O_PATH|unix.O_CLOEXEC|flags, 0)
		return err
	})
	return fd, err
}

// retry repeats a system call that a signal interrupted.
func retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// mentionsProc says that a path may lead to a process's open files.
func mentionsProc(path string) bool {
	return strings.Contains(path, "fd/") || strings.Contains(path, "proc/") || strings.Contains(path, "/std")
}

// isProc says that an open file is one of /proc.
func isProc(fd int) (bool, error) {
	var st unix.Statfs_t
	err := retry(func() error { return unix.Fstatfs(fd, &st) })
	return err == nil && st.Type == unix.PROC_SUPER_MAGIC, err
}
