package main

import (
	"fmt"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

func octal(s string) uintptr {
	n, _ := strconv.ParseUint(s, 8, 32)
	return uintptr(n)
}

// flags are the bits of open(2) by their letters.
func flags(s string) uintptr {
	f := uintptr(0)
	for _, c := range s {
		switch c {
		case 'w':
			f |= syscall.O_RDWR
		case 'c':
			f |= syscall.O_CREAT
		case 'x':
			f |= syscall.O_EXCL
		case 't':
			f |= syscall.O_TRUNC
		case 'n':
			f |= syscall.O_NOFOLLOW
		case 'e':
			f |= syscall.O_CLOEXEC
		case 'a':
			f |= syscall.O_APPEND
		case 'd':
			f |= syscall.O_DIRECTORY
		case 'T': // O_TMPFILE
			f |= 0o20000000 | syscall.O_DIRECTORY
		}
	}
	return f
}

// file makes something, and says what it is then. Their arguments: a path, a mode in octal, and what else.
func file(raw func(string, ...uintptr) string, one []string) string {
	arg := func(i int) string {
		if i < len(one) {
			return one[i]
		}
		return ""
	}
	cwd := ^uintptr(99) // AT_FDCWD
	path, mode := cstring(arg(1)), octal(arg(2))
	switch verb := arg(0); verb {
	case "creat":
		if _, ok := number[verb]; !ok {
			return opened(raw("open", path, syscall.O_CREAT|syscall.O_WRONLY|syscall.O_TRUNC, mode))
		}
		return opened(raw(verb, path, mode))
	case "open":
		return opened(raw(verb, path, flags(arg(3)), mode))
	case "openat":
		return opened(raw(verb, cwd, path, flags(arg(3)), mode))
	case "openat2":
		how := [3]uint64{uint64(flags(arg(3))), uint64(mode), 0}
		keep = append(keep, &how)
		return opened(raw(verb, cwd, path, uintptr(unsafe.Pointer(&how)), unsafe.Sizeof(how)))
	case "openin": // a directory, and then in it
		dir, err := syscall.Open(arg(1), syscall.O_RDONLY|syscall.O_DIRECTORY, 0)
		if err != nil {
			return err.Error()
		}
		return opened(raw("openat", uintptr(dir), cstring(arg(4)), flags(arg(3)), mode))
	case "mkdir":
		return raw(verb, path, mode)
	case "mkdirat":
		return raw(verb, cwd, path, mode)
	case "symlink":
		return raw(verb, cstring(arg(2)), path)
	case "symlinkat":
		return raw(verb, cstring(arg(2)), cwd, path)
	case "mknod":
		return raw(verb, path, mode, 0)
	case "mknodat":
		return raw(verb, cwd, path, mode, 0)
	case "mkdev":
		return raw("mknodat", cwd, path, mode, 1<<8|3)
	case "bind":
		return bind(arg(1))
	case "chown":
		return result(0, errno(syscall.Lchown(arg(1), int(int32(id(arg(2)))), int(int32(id(arg(3)))))))
	case "chmod":
		return result(0, errno(syscall.Chmod(arg(1), uint32(mode))))
	case "chdir":
		return result(0, errno(syscall.Chdir(arg(1))))
	case "link":
		return result(0, errno(syscall.Link(arg(1), arg(2))))
	case "rename":
		return result(0, errno(syscall.Rename(arg(1), arg(2))))
	case "unlink":
		return result(0, errno(syscall.Unlink(arg(1))))
	case "setxattr":
		return result(0, errno(syscall.Setxattr(arg(1), arg(2), []byte(arg(3)), 0)))
	case "getxattr":
		value := make([]byte, 256)
		n, err := syscall.Getxattr(arg(1), arg(2), value)
		return result(uintptr(max(n, 0)), errno(err))
	case "listxattr":
		names := make([]byte, 4096)
		n, err := syscall.Listxattr(arg(1), names)
		all := strings.Fields(strings.ReplaceAll(string(names[:max(n, 0)]), "\x00", " "))
		sort.Strings(all)
		return result(uintptr(max(n, 0)), errno(err)) + " " + strings.Join(all, " ")
	case "write":
		return write(arg(1), arg(2))
	case "print":
		return arg(1)
	}
	return "unknown verb"
}

func errno(err error) syscall.Errno {
	if e, ok := err.(syscall.Errno); ok {
		return e
	}
	return 0
}

// opened writes to what was opened, says what it is, and closes it.
func opened(r string) string {
	fd, err := strconv.Atoi(r)
	if err != nil {
		return r
	}
	var st syscall.Stat_t
	if err := syscall.Fstat(fd, &st); err != nil {
		return err.Error()
	}
	how, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFL, 0)
	flag, _, _ := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
	_, werr := syscall.Write(fd, []byte("x"))
	if err := syscall.Close(fd); err != nil {
		return err.Error()
	}
	return fmt.Sprintf("opened %o %d:%d access %d append %t cloexec %d write %v", st.Mode, st.Uid, st.Gid, how&syscall.O_ACCMODE, how&syscall.O_APPEND != 0, flag, werr)
}

func bind(path string) string {
	s, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err.Error()
	}
	if err := syscall.Bind(s, &syscall.SockaddrUnix{Name: path}); err != nil {
		return name(errno(err))
	}
	is, err := syscall.Getsockname(s)
	if err != nil {
		return err.Error()
	}
	return "bound to " + is.(*syscall.SockaddrUnix).Name
}

func write(path, text string) string {
	fd, err := syscall.Open(path, syscall.O_WRONLY|syscall.O_TRUNC, 0)
	if err != nil {
		return name(errno(err))
	}
	n, err := syscall.Write(fd, []byte(text))
	if err := syscall.Close(fd); err != nil {
		return err.Error()
	}
	return result(uintptr(n), errno(err))
}

func stat(paths []string) string {
	s := ""
	for _, p := range paths {
		var st syscall.Stat_t
		if err := syscall.Lstat(p, &st); err != nil {
			s += name(errno(err)) + "; "
			continue
		}
		s += fmt.Sprintf("%o %d:%d; ", st.Mode, st.Uid, st.Gid)
	}
	return s
}

// peer says who is at the other end of a pair of sockets: this process.
func peer() string {
	pair, err := syscall.Socketpair(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err.Error()
	}
	var c struct{ pid, uid, gid uint32 }
	size := uint32(unsafe.Sizeof(c))
	_, _, e := syscall.RawSyscall6(number["getsockopt"], uintptr(pair[0]), syscall.SOL_SOCKET, syscall.SO_PEERCRED, uintptr(unsafe.Pointer(&c)), uintptr(unsafe.Pointer(&size)), 0)
	if e != 0 {
		return name(e)
	}
	return fmt.Sprintf("%d:%d, myself %t, %d bytes", c.uid, c.gid, int(c.pid) == syscall.Getpid(), size)
}
