package inode

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/layers"
)

// Everything below works with a directory's descriptor and one name in it. No path of more than one component is
// ever given to the kernel, so that nothing in a tree (a symbolic link, a ".." in an archive, a path longer than
// PATH_MAX) can lead out of it.

// dirFlags open a directory for reading and as the start of further lookups.
const dirFlags = unix.O_RDONLY | unix.O_DIRECTORY | unix.O_CLOEXEC | unix.O_NONBLOCK

// Retry repeats a system call that a signal interrupted.
func Retry(f func() error) error {
	for {
		if err := f(); !errors.Is(err, unix.EINTR) {
			return err
		}
	}
}

// OpenRoot opens the root of a tree. Its path is the caller's own and may lead through symbolic links.
func OpenRoot(path string) (int, error) {
	fd := -1
	err := Retry(func() (err error) {
		fd, err = unix.Open(path, dirFlags, 0)
		return err
	})
	if err != nil {
		return -1, fmt.Errorf("open directory %s: %w", path, err)
	}
	return fd, nil
}

// OpenDir opens the directory name in dir, or returns ENOTDIR for something else (ELOOP for a symbolic link),
// or EXDEV for a mount point. The caller closes it.
func OpenDir(dir int, name string) (int, error) {
	fd := -1
	err := Retry(func() (err error) {
		fd, err = unix.Openat2(dir, name, &unix.OpenHow{
			Flags:   dirFlags | unix.O_NOFOLLOW,
			Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_MAGICLINKS | unix.RESOLVE_NO_XDEV,
		})
		return err
	})
	if errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EPERM) {
		// A kernel older than 5.6, or a seccomp filter that does not know the call. With a single component
		// O_NOFOLLOW keeps us inside as well; only mount points are not seen then.
		if !layers.PlainName(name) {
			return -1, unix.EXDEV
		}
		err = Retry(func() (err error) {
			fd, err = unix.Openat(dir, name, dirFlags|unix.O_NOFOLLOW, 0)
			return err
		})
	}
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// openFile opens the regular file or directory name in dir for reading.
func openFile(dir int, name string) (int, error) {
	fd := -1
	err := Retry(func() (err error) {
		fd, err = unix.Openat(dir, name, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK|unix.O_CLOEXEC, 0)
		return err
	})
	if err != nil {
		return -1, err
	}
	return fd, nil
}

// CloseFD closes a descriptor that was only read from, or whose data nobody waits for.
func CloseFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd) // nothing written through it can be lost any more
	}
}

// StatAt returns what name in dir is, without following it.
func StatAt(dir int, name string) (unix.Stat_t, error) {
	var st unix.Stat_t
	err := unix.Fstatat(dir, name, &st, unix.AT_SYMLINK_NOFOLLOW)
	return st, err
}

// ReadNames returns the names in a directory, in no order.
func ReadNames(dir int) ([]string, error) {
	// A descriptor of its own: reading moves its position.
	fd, err := openFile(dir, ".")
	if err != nil {
		return nil, err
	}
	f := os.NewFile(uintptr(fd), "directory")
	names, err := f.Readdirnames(-1)
	return names, errors.Join(err, f.Close())
}

// ReadLink returns the target of the symbolic link name in dir.
func ReadLink(dir int, name string) (string, error) {
	for size := 256; ; size *= 2 {
		buf := make([]byte, size)
		n, err := unix.Readlinkat(dir, name, buf)
		if err != nil {
			return "", err
		}
		if n < size {
			return string(buf[:n]), nil
		}
	}
}

// A Handle is one file of a tree: a name in an open directory, and, where it is a regular file or a directory,
// an open descriptor of the file itself. Nothing done through it follows a symbolic link.
type Handle struct {
	Dir  int
	Name string // "": the file is Dir itself, see [FDHandle]
	FD   int    // -1: not open
	user bool   // it is a regular file or a directory, although not open
	fds  string // where this process's descriptors are, with a slash at the end; "": /proc/self/fd/
}

// holdsUser reports whether the file can carry user xattrs.
func (h Handle) holdsUser() bool { return h.FD >= 0 || h.user }

// Open returns the handle of a name in dir that st was read from. The caller closes it.
func Open(dir int, name string, st *unix.Stat_t) (Handle, error) {
	h := Handle{Dir: dir, Name: name, FD: -1}
	switch st.Mode & unix.S_IFMT {
	case unix.S_IFREG:
		fd, err := openFile(dir, name)
		if err != nil {
			return h, err
		}
		h.FD = fd
	case unix.S_IFDIR:
		fd, err := OpenDir(dir, name)
		if err != nil {
			return h, err
		}
		h.FD = fd
	}
	return h, nil
}

// RootHandle returns the handle of a tree's root itself. It borrows root: close must not be called on it.
func RootHandle(root int) Handle { return Handle{Dir: root, Name: ".", FD: root} }

// Close closes the descriptor of a handle that [Open] has made.
func (h Handle) Close() { CloseFD(h.FD) }

// path names the file for the calls that have no form with a directory's descriptor. /proc/self/fd leads to the
// open directory itself wherever that is, so that only the last component is looked up.
func (h Handle) path() string {
	fds := h.fds
	if fds == "" {
		fds = "/proc/self/fd/"
	}
	path := fds + strconv.Itoa(h.Dir)
	if h.Name == "" {
		return path // to be followed: it leads to the file, and no further where that is a symbolic link
	}
	return path + "/" + h.Name
}

// foreign is the first id that no node has, whoever builds: what real root executes has those below it. A file of such an
// owner could be neither moved nor written to (EOVERFLOW), so that its owner is recorded.
const foreign = 1<<31 - 2

// chown gives the file away, or returns EINVAL for an id that nodes do not have.
func (h Handle) chown(uid, gid uint32) error {
	if uid >= foreign || gid >= foreign {
		return unix.EINVAL
	}
	if h.FD >= 0 {
		return unix.Fchown(h.FD, int(uid), int(gid))
	}
	flags := unix.AT_SYMLINK_NOFOLLOW
	if h.Name == "" {
		flags |= unix.AT_EMPTY_PATH
	}
	return unix.Fchownat(h.Dir, h.Name, int(uid), int(gid), flags)
}

// chmod sets the permission bits. A symbolic link has none.
func (h Handle) chmod(mode uint32) error {
	if h.FD >= 0 {
		return unix.Fchmod(h.FD, mode)
	}
	return unix.Fchmodat(h.Dir, h.Name, mode, 0)
}

// Chtimes sets the time of modification, and that of access to the same: it is not kept in layers, and so it
// must not be the time of the build.
func (h Handle) Chtimes(t time.Time) error {
	ts, err := unix.TimeToTimespec(t)
	if err != nil { // beyond 2038 on a 32-bit machine
		return fmt.Errorf("time %s: %w", t, err)
	}
	return unix.UtimesNanoAt(h.Dir, h.Name, []unix.Timespec{ts, ts}, unix.AT_SYMLINK_NOFOLLOW)
}
