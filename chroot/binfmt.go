package chroot

import (
	"errors"
	"fmt"
	"os"
	"path"
	"runtime"
	"strconv"

	"golang.org/x/sys/unix"

	"xtoo/qemu"
)

// A binfmt is a binfmt_misc of this user namespace's own (since Linux 6.7). It is mounted nowhere: the open file keeps
// it, and its registrations, so that no script sees it or stands in need of it. Close ends them.
type binfmt struct{ dir *os.File }

// errNoBinfmt says that this kernel gives a user namespace no binfmt_misc.
var errNoBinfmt = errors.New("no binfmt_misc of its own")

// newBinfmt makes the binfmt_misc of this user namespace. From then on the host's registrations do not count in it.
func newBinfmt() (*binfmt, error) {
	dir, err := detached("binfmt_misc", nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNoBinfmt, err)
	}
	return &binfmt{dir: dir}, nil
}

// detached makes a file system that is mounted nowhere. The caller closes its directory, which ends it.
func detached(kind string, options map[string]string) (*os.File, error) {
	fs, err := unix.Fsopen(kind, unix.FSOPEN_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("make a %s: %w", kind, err)
	}
	defer func() { _ = unix.Close(fs) }() // a context, with nothing to be lost
	for k, v := range options {
		if err := unix.FsconfigSetString(fs, k, v); err != nil {
			return nil, fmt.Errorf("make a %s: option %s: %w", kind, k, err)
		}
	}
	if err := unix.FsconfigCreate(fs); err != nil {
		return nil, fmt.Errorf("make a %s: %w", kind, err)
	}
	fd, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NODEV)
	if err != nil {
		return nil, fmt.Errorf("make a %s: %w", kind, err)
	}
	return os.NewFile(uintptr(fd), kind), nil
}

// register has the kernel hand programs of the architecture to an emulator, a path on the host, in place of what
// was registered before. It is opened here and now: no root needs to have it.
func (b *binfmt) register(a qemu.Arch, emulator, flags string) error {
	// Nothing that a process can see of itself or of others shall tell where the host has the emulator: it is opened
	// on a mount of its own, of which it is the root, and registered under a name relative to a directory that is gone
	// afterwards. That name is what ps(1) shows.
	fd, err := unix.OpenTree(unix.AT_FDCWD, emulator, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return &os.PathError{Op: "open", Path: emulator, Err: err}
	}
	alone := os.NewFile(uintptr(fd), emulator)
	defer alone.Close() // the registration holds what it needs
	home, err := detached("tmpfs", map[string]string{"mode": "0700"})
	if err != nil {
		return err
	}
	defer home.Close() // was made for a link
	if err := unix.Symlinkat(fdPath(alone), int(home.Fd()), a.Emulator); err != nil {
		return fmt.Errorf("name the emulator: %w", err)
	}
	rule := qemu.Rule(binfmtName, a, a.Emulator, flags+qemu.FlagFix)
	if err := inDirectory(home, func() error { return b.write("register", rule) }); err != nil {
		return fmt.Errorf("register the emulator %s: %w", emulator, err)
	}
	return nil
}

// inDirectory does something in another working directory: on a thread of its own, which has one, and ends.
func inDirectory(dir *os.File, do func() error) error {
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked
		err := unix.Unshare(unix.CLONE_FS)
		if err == nil {
			err = unix.Fchdir(int(dir.Fd()))
		}
		if err == nil {
			err = do()
		}
		done <- err
	}()
	return <-done
}

// binfmtName is the name of our registration.
const binfmtName = "xtoo"

// unregister takes the registration back.
func (b *binfmt) unregister() error { return b.write(binfmtName, "-1") }

func (b *binfmt) write(name, text string) error {
	fd, err := unix.Openat(int(b.dir.Fd()), name, unix.O_WRONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return &os.PathError{Op: "open", Path: path.Join("binfmt_misc", name), Err: err}
	}
	_, err = unix.Write(fd, []byte(text))
	return errors.Join(err, unix.Close(fd))
}

// Close gives the registrations up, once no process is executing by them.
func (b *binfmt) Close() error {
	if b == nil {
		return nil
	}
	return b.dir.Close()
}

// fdPath is a path to what an open file stands for, in this process.
func fdPath(f *os.File) string { return "/proc/self/fd/" + strconv.Itoa(int(f.Fd())) }
