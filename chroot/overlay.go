package chroot

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/layers/inode"
)

// mountRoot mounts the root of a node over the node's own upper directory, where nothing else can be hidden by it.
// fds is this process's /proc/self/fd.
func mountRoot(fds *os.File, a *nodeArgs) error {
	if len(a.Lowers) == 0 {
		if err := unix.Mount(a.Upper, a.Upper, "", unix.MS_BIND, ""); err != nil {
			return fmt.Errorf("bind the root directory %s: %w", a.Upper, err)
		}
		return nil
	}
	return mountOverlay(fds, a.Lowers, a.Upper, a.Work, a.Upper)
}

// maxStack is what one overlay stacks (OVL_MAX_STACK). The kernel lets an overlay lie on another, and no deeper.
const maxStack = 500

// mountOverlay mounts an overlay at target, of the bottom layers on an overlay of their own where there are more than
// one takes. The directories are named by the numbers of their open files, with the
// working directory in /proc/self/fd: so hundreds fit into the page that mount(2) takes, no character in a path
// needs care, and /proc/mounts tells a script nothing about the host's paths.
func mountOverlay(fds *os.File, lowers []string, upper, work, target string) error {
	if err := checkUserXattrs(work); err != nil {
		return err
	}
	// A volatile overlay leaves a mark there, so that nobody mounts it again: EINVAL would be all the kernel says.
	if entries, err := os.ReadDir(work); err != nil || len(entries) > 0 {
		return errors.Join(err, fmt.Errorf("overlay: the work directory %s was used before", work))
	}
	var numbers []string
	files := make([]*os.File, 0, len(lowers)+2)
	defer func() {
		for _, f := range files {
			_ = f.Close() // was opened for its name only
		}
	}()
	for i, path := range append(append([]string{}, lowers...), upper, work) {
		f, err := openPath(path, unix.O_DIRECTORY)
		if err != nil {
			return fmt.Errorf("overlay: %s: %w", [...]string{"layer", "upper directory", "work directory"}[max(0, i-len(lowers)+1)], err)
		}
		files = append(files, f)
		numbers = append(numbers, strconv.Itoa(int(f.Fd())))
	}
	if err := unix.Fchdir(int(fds.Fd())); err != nil {
		return fmt.Errorf("go to /proc/self/fd: %w", err)
	}
	n, show := len(lowers), len(lowers)
	for i, number := range numbers[:n] {
		opaque, err := inode.HidesAll(number)
		if err != nil {
			return fmt.Errorf("overlay: layer %d from the top: %w", i+1, err)
		}
		if opaque {
			show = i + 1 // overlayfs does not look for the mark in the roots of layers
			break
		}
	}
	stack := numbers[:show]
	if len(stack) > maxStack {
		top := stack[:maxStack-1]
		bottom, err := mountBottom(lowers[len(top)], stack[len(top):])
		if err != nil {
			return explainOverlay(err, upper, n)
		}
		defer bottom.unmount()
		stack = append(slices.Clone(top), strconv.Itoa(int(bottom.dir.Fd())))
	}
	// userxattr: the only xattrs that a user namespace may write. index=off: what a hard link across layers does
	// must not depend on how the kernel was built. volatile: nobody wants the upper directory of a node that was
	// cut off, so fsync in it is wasted, and so is the sync of the whole file system at the unmount.
	options := "lowerdir=" + strings.Join(stack, ":") + ",upperdir=" + numbers[n] + ",workdir=" + numbers[n+1] + ",userxattr,index=off"
	err := unix.Mount("overlay", target, "overlay", 0, options+",volatile")
	if errors.Is(err, unix.EINVAL) {
		err = unix.Mount("overlay", target, "overlay", 0, options)
	}
	if err != nil {
		return explainOverlay(err, upper, n)
	}
	return removable(files[len(files)-1])
}

// removable gives the overlay's own directories in an open work directory a mode with which their owner can remove them,
// should nobody else come to do so: overlayfs makes them with none.
func removable(work *os.File) error {
	for _, name := range []string{"work", "work/incompat", "work/incompat/volatile"} {
		err := unix.Fchmodat(int(work.Fd()), name, 0o700, 0)
		if errors.Is(err, unix.ENOENT) {
			break // it is not volatile
		}
		if err != nil {
			return fmt.Errorf("overlay: let the work directory be removed: %w", err)
		}
	}
	return nil
}

// A bottom is an overlay that another lies on.
type bottom struct {
	at  string
	dir *os.File // its root
}

// mountBottom mounts an overlay of the open directories over one of them, where it is in nobody's way.
func mountBottom(at string, numbers []string) (*bottom, error) {
	options := "lowerdir=" + strings.Join(numbers, ":") + ",userxattr,index=off"
	if err := unix.Mount("overlay", at, "overlay", unix.MS_RDONLY, options); err != nil {
		return nil, err
	}
	dir, err := openPath(at, unix.O_DIRECTORY)
	if err != nil {
		return nil, errors.Join(err, unix.Unmount(at, unix.MNT_DETACH))
	}
	return &bottom{at, dir}, nil
}

// unmount takes it out of sight. The overlay that lies on it keeps it.
func (b *bottom) unmount() {
	_ = b.dir.Close()                       // was opened for its name only
	_ = unix.Unmount(b.at, unix.MNT_DETACH) // the mount namespace ends with the node, at the latest
}

// explainOverlay words why the kernel refused.
func explainOverlay(err error, upper string, layers int) error {
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.ENOMEM) || errors.Is(err, unix.EIO) {
		return fmt.Errorf("mount an overlay of %d layers: %w", layers, err)
	}
	hint := "keep the store on a local file system such as ext4, xfs or btrfs: set XTOO_SCRATCH to a directory on one"
	if release := host.KernelRelease(); !host.AtLeast(release, 5, 11) {
		hint = "overlayfs in a user namespace needs Linux 5.11 or later; this is " + release
	} else if errors.Is(err, unix.ENODEV) {
		hint = "this kernel has no overlayfs: as root: modprobe overlay (CONFIG_OVERLAY_FS)"
	} else if name := host.FilesystemName(upper); name == "overlay" {
		hint = "the store is itself on an overlay (inside a container?): put it on a volume"
	}
	return &host.Error{
		Err:  fmt.Errorf("%w: mount an overlay of %d layers on %s (%s): %w", ErrNoOverlay, layers, upper, host.FilesystemName(upper), err),
		Hint: hint,
	}
}

// checkUserXattrs finds out whether a directory can bear user xattrs. The kernel mounts an overlay
// without them, too, but then cannot mark a directory as opaque.
func checkUserXattrs(dir string) error {
	const name = "user.xtoo.probe"
	err := unix.Setxattr(dir, name, []byte("y"), 0)
	if err == nil {
		err = unix.Removexattr(dir, name)
	}
	if errors.Is(err, unix.EOPNOTSUPP) {
		return &host.Error{
			Err: fmt.Errorf("%w: %s (%s) does not hold user xattrs: %w", ErrNoOverlay, dir, host.FilesystemName(dir), &noXattrsError{err}),
			Hint: "keep the store on a file system with user xattrs, such as ext4, xfs or btrfs (tmpfs since Linux 6.6): " +
				"set XTOO_SCRATCH to a directory on one",
		}
	}
	if err != nil {
		return fmt.Errorf("set an xattr on %s: %w", dir, err)
	}
	return nil
}

// noXattrsError is an error that is [inode.ErrNoUserXattrs] without saying it once more.
type noXattrsError struct{ error }

func (e *noXattrsError) Unwrap() []error { return []error{e.error, inode.ErrNoUserXattrs} }

// openPath opens a file for its name only, whatever it is.
func openPath(path string, flags int) (*os.File, error) {
	for {
		fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC|flags, 0)
		if err == nil {
			return os.NewFile(uintptr(fd), path), nil
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, &os.PathError{Op: "open", Path: path, Err: err}
		}
	}
}
