// Command ownerguest asks the kernel for what only root of a whole machine may have, and shows what it reads back. Its arguments are
// one thing to do after another, with ";" between them.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"
	"unsafe"

	"../steps"
)

func main() {
	steps.All(os.Args[1:], do, func(one []string) string { return strings.Join(one, " ") })
}

func do(verb string, a []string) error {
	num := func(i int) int { n, _ := strconv.ParseInt(a[i], 0, 64); return int(n) }
	switch verb {
	case "write":
		return os.WriteFile(a[0], []byte(a[1]), 0o644)
	case "mkdir":
		return os.Mkdir(a[0], 0o755)
	case "symlink":
		return os.Symlink(a[0], a[1])
	case "link":
		return os.Link(a[0], a[1])
	case "unnamed": // made without a name in a directory, then given one
		fd, err := syscall.Open(a[0], 0o20000000|syscall.O_DIRECTORY|syscall.O_RDWR, 0o644) // O_TMPFILE
		if err != nil {
			return err
		}
		from, _ := syscall.BytePtrFromString(fmt.Sprintf("/proc/self/fd/%d", fd))
		to, _ := syscall.BytePtrFromString(a[1])
		// From and to AT_FDCWD, with AT_SYMLINK_FOLLOW.
		if _, _, e := syscall.Syscall6(syscall.SYS_LINKAT, ^uintptr(99), uintptr(unsafe.Pointer(from)), ^uintptr(99), uintptr(unsafe.Pointer(to)), 0x400, 0); e != 0 {
			return e
		}
		return syscall.Close(fd)
	case "rename":
		return os.Rename(a[0], a[1])
	case "remove":
		return os.Remove(a[0])
	case "fifo":
		return syscall.Mkfifo(a[0], 0o640)
	case "chmod":
		m, _ := strconv.ParseUint(a[1], 8, 32)
		return syscall.Chmod(a[0], uint32(m))
	case "chown":
		return syscall.Chown(a[0], num(1), num(2))
	case "lchown":
		return syscall.Lchown(a[0], num(1), num(2))
	case "fchown":
		f, err := os.Open(a[0])
		if err != nil {
			return err
		}
		defer f.Close()
		return syscall.Fchown(int(f.Fd()), num(1), num(2))
	case "fchownat": // relative to a directory
		f, err := os.Open(a[0])
		if err != nil {
			return err
		}
		defer f.Close()
		return syscall.Fchownat(int(f.Fd()), a[1], num(2), num(3), 0x100)
	case "cd":
		return os.Chdir(a[0])
	case "mount": // in memory, or what is elsewhere
		if a[0] == "tmpfs" {
			return syscall.Mount(a[0], a[1], a[0], 0, "")
		}
		return syscall.Mount(a[0], a[1], "", syscall.MS_BIND, "")
	case "unmount":
		return syscall.Unmount(a[0], 0)
	case "chroot": // everything after it is done there
		return syscall.Chroot(a[0])
	case "mknod": // path kind mode major minor
		kind := map[string]uint32{"c": syscall.S_IFCHR, "b": syscall.S_IFBLK}[a[1]]
		m, _ := strconv.ParseUint(a[2], 8, 32)
		return syscall.Mknod(a[0], kind|uint32(m), num(3)<<8|num(4))
	case "umask":
		m, _ := strconv.ParseUint(a[0], 8, 32)
		syscall.Umask(int(m))
	case "stat":
		return stat(a)
	case "setxattr":
		return syscall.Setxattr(a[0], a[1], []byte(a[2]), 0)
	case "getxattr":
		buf := make([]byte, 4096)
		n, err := syscall.Getxattr(a[0], a[1], buf)
		if err == nil {
			fmt.Printf("%s %q\n", a[1], buf[:n])
		}
		return err
	case "listxattr":
		buf := make([]byte, 4096)
		n, err := syscall.Listxattr(a[0], buf)
		names := strings.Split(strings.TrimSuffix(string(buf[:max(n, 0)]), "\x00"), "\x00")
		sort.Strings(names)
		fmt.Println(a[0], names)
		return err
	case "removexattr":
		return syscall.Removexattr(a[0], a[1])
	case "acl": // set a list of access with an entry for a user
		return syscall.Setxattr(a[0], "system.posix_acl_access", acl(uint32(num(1))), 0)
	case "default": // the list that a directory gives to what is made in it, with an entry for a user
		return syscall.Setxattr(a[0], "system.posix_acl_default", acl(uint32(num(1))), 0)
	case "make": // with a mode
		m, _ := strconv.ParseUint(a[1], 8, 32)
		f, err := os.OpenFile(a[0], os.O_CREATE|os.O_EXCL, os.FileMode(m))
		if err != nil {
			return err
		}
		return f.Close()
	case "passcred":
		s, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		return syscall.SetsockoptInt(s, syscall.SOL_SOCKET, syscall.SO_PASSCRED, 1)
	case "as": // another user from here on
		return syscall.Setresuid(num(0), num(0), num(0))
	case "cat":
		data, err := os.ReadFile(a[0])
		fmt.Println(string(data))
		return err
	case "number": // of a call, with no arguments
		_, _, e := syscall.RawSyscall(uintptr(num(0)), 0, 0, 0)
		fmt.Println("call", a[0], int(e))
	case "run":
		out, err := exec.Command(a[0], a[1:]...).CombinedOutput()
		fmt.Print(string(out))
		return err
	case "race":
		return race(a[0])
	case "threads":
		return threads(a[0], num(1))
	case "killed":
		return killed(a[0])
	case "stats":
		var st syscall.Stat_t
		for i := 0; i < num(1); i++ {
			if err := syscall.Stat(a[0], &st); err != nil {
				return err
			}
		}
	case "fstats":
		f, err := os.Open(a[0])
		if err != nil {
			return err
		}
		defer f.Close()
		var st syscall.Stat_t
		for i := 0; i < num(1); i++ {
			if err := syscall.Fstat(int(f.Fd()), &st); err != nil {
				return err
			}
		}
	case "many":
		return many(a[0], num(1))
	default:
		return fmt.Errorf("unknown")
	}
	return nil
}

// stat shows files by all calls that there are.
func stat(paths []string) error {
	for _, p := range paths {
		var st, fst syscall.Stat_t
		if err := syscall.Lstat(p, &st); err != nil {
			return fmt.Errorf("%s: %w", p, err)
		}
		more := ""
		if st.Mode&syscall.S_IFMT == syscall.S_IFREG || st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
			f, err := os.Open(p)
			if err != nil {
				return err
			}
			if err := syscall.Fstat(int(f.Fd()), &fst); err != nil {
				return err
			}
			f.Close()
			if fst != st {
				more = fmt.Sprintf(" but fstat has %+v, not %+v", fst, st)
			}
		}
		var x [256]byte
		name, _ := syscall.BytePtrFromString(p)
		nr, at := uintptr(332), ^uintptr(99)
		switch runtime.GOARCH {
		case "386":
			nr = 383
		case "arm64":
			nr = 291
		case "arm":
			nr = 397
		}
		_, _, e := syscall.RawSyscall6(nr, at, uintptr(unsafe.Pointer(name)), 0x100, 0x7ff, uintptr(unsafe.Pointer(&x)), 0)
		u32 := func(o int) uint32 { return *(*uint32)(unsafe.Pointer(&x[o])) }
		mode := *(*uint16)(unsafe.Pointer(&x[28]))
		if e != 0 || u32(20) != uint32(st.Uid) || u32(24) != uint32(st.Gid) || uint32(mode) != uint32(st.Mode) {
			more += fmt.Sprintf(" but statx has %d: %d:%d %o", e, u32(20), u32(24), mode)
		}
		fmt.Printf("%s %o %d:%d rdev %d size %d links %d%s\n", p, st.Mode, st.Uid, st.Gid, st.Rdev, sizeOf(&st), st.Nlink, more)
	}
	return nil
}

func sizeOf(st *syscall.Stat_t) int64 {
	if st.Mode&syscall.S_IFMT == syscall.S_IFDIR {
		return 0
	}
	return st.Size
}

func acl(uid uint32) []byte {
	b := []byte{2, 0, 0, 0}
	for _, e := range []struct {
		tag, perm uint16
		id        uint32
	}{{1, 6, ^uint32(0)}, {2, 7, uid}, {4, 4, ^uint32(0)}, {0x10, 7, ^uint32(0)}, {0x20, 4, ^uint32(0)}} {
		b = append(b, byte(e.tag), 0, byte(e.perm), 0, byte(e.id), byte(e.id>>8), byte(e.id>>16), byte(e.id>>24))
	}
	return b
}

// race renames links over files while they are chowned, for a while: /victim is where the links lead when it is outside.
func race(length string) error {
	d, err := time.ParseDuration(length)
	if err != nil {
		return err
	}
	for _, dir := range []string{"a", "b"} {
		if err := os.Mkdir(dir, 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(dir+"/file", nil, 0o644); err != nil {
			return err
		}
	}
	if err := os.Symlink("/proc/1/root/../../../../volume", "evil"); err != nil {
		return err
	}
	end := time.Now().Add(d)
	var group sync.WaitGroup
	run := func(f func(i int)) {
		group.Add(1)
		go func() {
			defer group.Done()
			for i := 0; time.Now().Before(end); i++ {
				f(i)
			}
		}()
	}
	const exchange = 2
	swap := func(x, y string) {
		a, _ := syscall.BytePtrFromString(x)
		b, _ := syscall.BytePtrFromString(y)
		at := ^uintptr(99)
		syscall.RawSyscall6(renameat2(), at, uintptr(unsafe.Pointer(a)), at, uintptr(unsafe.Pointer(b)), exchange, 0)
	}
	run(func(int) { swap("a", "evil") })
	run(func(int) { swap("a", "b") })
	run(func(int) { swap("a/file", "b/file") })
	for n := 0; n < 4; n++ {
		run(func(i int) { syscall.Chown("a/file", i%100, i%100) })
		run(func(i int) { syscall.Lchown("a", i%100, i%100) })
		run(func(i int) { syscall.Setxattr("a/file", "trusted.race", []byte("x"), 0) })
		run(func(i int) {
			syscall.Mknod("a/device", syscall.S_IFCHR|0o600, 1<<8|3)
			syscall.Unlink("b/device")
		})
	}
	group.Wait()
	fmt.Println("raced")
	return nil
}

func renameat2() uintptr {
	return map[string]uintptr{"amd64": 316, "386": 353, "arm64": 276, "arm": 382}[runtime.GOARCH]
}

// threads has many threads each in a call at a time.
func threads(path string, n int) error {
	var group sync.WaitGroup
	failed := make(chan error, n)
	for i := 0; i < n; i++ {
		group.Add(1)
		go func() {
			defer group.Done()
			runtime.LockOSThread()
			for k := 0; k < 5; k++ {
				if err := syscall.Chown(path, i+1, i+1); err != nil {
					failed <- err
					return
				}
			}
		}()
	}
	group.Wait()
	select {
	case err := <-failed:
		return err
	default:
	}
	fmt.Println("all answered")
	return nil
}

// killed kills children in the middle of their calls.
func killed(path string) error {
	for i := 0; i < 30; i++ {
		c := exec.Command("/proc/self/exe", "many", path, "1000000")
		if err := c.Start(); err != nil {
			return err
		}
		time.Sleep(time.Duration(i) * time.Millisecond)
		if err := c.Process.Kill(); err != nil {
			return err
		}
		if err := c.Wait(); err == nil {
			return fmt.Errorf("it was not killed")
		}
	}
	fmt.Println("all killed")
	return nil
}

// many gives a file away again and again.
func many(path string, n int) error {
	for i := 0; i < n; i++ {
		if err := syscall.Chown(path, i&0xfff, 7); err != nil {
			return err
		}
	}
	return nil
}
