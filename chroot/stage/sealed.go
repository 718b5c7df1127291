package stage

import (
	"errors"
	"fmt"
	"os"
	"sync"

	"golang.org/x/sys/unix"
)

// ownProgram is the path under which a process of this program executes it again.
const ownProgram = "/proc/self/exe"

// A program finds the path under which a process that is given those files executes this program.
type program func(files []*os.File) (string, error)

// unsealed is this program as it is.
func unsealed([]*os.File) (string, error) { return ownProgram, nil }

// A sealed is this program where nobody can change it, for processes that have room for so many files.
type sealed func(room int) program

// sealedProgram returns the program where nobody can change it, made ready when it is first asked for. What runs in such a
// process may get at the program file of it
// (/proc/1/exe: CVE-2019-5736), and that must not be the host's. It is a read-only mount of the file which is mounted nowhere, as
// long as this process lives; before Linux 5.12, which has none, a sealed copy in memory, which costs some hundredths of a
// second. Where the kernel gives neither, it is the program as it is: then it is out of reach only as long as nothing that was
// started can trace its process.
func sealedProgram(failed func(error)) sealed {
	open := sync.OnceValue(func() int {
		fd, err := lockProgram()
		if err != nil {
			failed(fmt.Errorf("mount the program read-only: %w", err))
			fd, err = copyProgram()
		}
		if err != nil {
			failed(fmt.Errorf("make a sealed copy of the program: %w", err))
			return -1
		}
		return fd
	})
	var mu sync.Mutex
	kept := -1 // the latest duplicate
	path := func(files []*os.File, room int) (string, error) {
		fd := open()
		if fd < 0 {
			return ownProgram, nil
		}
		mu.Lock()
		defer mu.Unlock()
		if least := outOfTheWay(files, room); kept < least {
			fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, least)
			if err != nil {
				return "", os.NewSyscallError("duplicate", err)
			}
			kept = fd // the one before may be on its way into a process
		}
		return fmt.Sprintf("/proc/self/fd/%d", kept), nil
	}
	return func(room int) program {
		return func(files []*os.File) (string, error) { return path(files, room) }
	}
}

// outOfTheWay returns a number that is not used between clone and exec, where the files of a new process get the numbers from 0
// on, and are moved first to numbers above all of theirs. It is 63 if that will do: a table of more than 64 files is made by
// waiting until every processor has passed through a quiet state, which takes as long as all the rest of a start. A process
// has room for as many files as its parent has numbers up to the highest: so for one that is to have many, it is higher, and who waits
// is the parent, once.
func outOfTheWay(files []*os.File, room int) int {
	const table, others = 64, 2 // others: the pipe of the error, and a spare
	most := len(files)
	for _, f := range files {
		most = max(most, int(f.Fd()))
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &limit); err == nil {
		room = int(min(uint64(room), limit.Cur)) // a bonus: not beyond what is allowed
	}
	return max(table-1, most+len(files)+others+1, room-1)
}

// lockProgram makes the mount. The link in /proc leads to a mount of another namespace, the one that the program was started
// in, so that the file has to be found again.
func lockProgram() (int, error) {
	path, err := os.Readlink(ownProgram)
	if err != nil {
		return -1, err
	}
	mount, err := unix.OpenTree(unix.AT_FDCWD, path, unix.OPEN_TREE_CLONE|unix.OPEN_TREE_CLOEXEC)
	if err != nil {
		return -1, os.NewSyscallError("open_tree", err)
	}
	if err := sameFile(mount, ownProgram); err != nil {
		return -1, errors.Join(err, unix.Close(mount))
	}
	flags := unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY | unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV}
	if err := unix.MountSetattr(mount, "", unix.AT_EMPTY_PATH, &flags); err != nil {
		return -1, errors.Join(os.NewSyscallError("mount_setattr", err), unix.Close(mount))
	}
	return mount, nil
}

// sameFile sees that an open file is the one that a path leads to.
func sameFile(fd int, path string) error {
	var opened, named unix.Stat_t
	if err := errors.Join(unix.Fstat(fd, &opened), unix.Stat(path, &named)); err != nil {
		return err
	}
	if opened.Dev != named.Dev || opened.Ino != named.Ino {
		return fmt.Errorf("%s was replaced", path)
	}
	return nil
}

// copyProgram makes the copy.
func copyProgram() (int, error) {
	program, err := os.Open(ownProgram)
	if err != nil {
		return -1, err
	}
	defer program.Close() // read only
	memory, err := unix.MemfdCreate("xtoo", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING|unix.MFD_EXEC)
	if errors.Is(err, unix.EINVAL) { // before Linux 6.3 all could be executed
		memory, err = unix.MemfdCreate("xtoo", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	}
	if err != nil {
		return -1, os.NewSyscallError("memfd_create", err)
	}
	copied := os.NewFile(uintptr(memory), "copy of the program")
	defer copied.Close() // a duplicate stays
	if _, err := copied.ReadFrom(program); err != nil {
		return -1, err
	}
	if err := copied.Chmod(0o555); err != nil {
		return -1, err
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(copied.Fd(), unix.F_ADD_SEALS, seals); err != nil {
		return -1, os.NewSyscallError("seal", err)
	}
	fd, err := unix.FcntlInt(copied.Fd(), unix.F_DUPFD_CLOEXEC, 0)
	return fd, os.NewSyscallError("duplicate", err)
}
