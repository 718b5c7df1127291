// Command credguest is what tests execute to find out what becomes of credentials and of files that are made with
// them. Its arguments are calls, with ";" between them; it prints what each answers. It makes them by number, in the thread that
// it began with, so that nothing of a library is in between; on 32-bit machines a "16" before a call means its old form.
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"unsafe"

	"../steps"
)

func init() { runtime.LockOSThread() } // main is in the first thread

func main() {
	args, prefix := os.Args[1:], ""
	if len(args) > 0 && args[0] == "|" {
		args, prefix = args[1:], "| " // somebody's child
	}
	for len(args) > 0 {
		var one []string
		one, args = steps.Next(args)
		if len(one) == 0 || strings.HasPrefix(one[0], "/") { // a script's name
			continue
		}
		if strings.HasPrefix(one[0], "exec") { // does not come back
			fmt.Println(prefix+strings.Join(one, " "), "=", execute(one, args))
			continue
		}
		fmt.Println(prefix+strings.Join(one, " "), "=", call(one))
	}
}

// name tells an error in the kernel's words.
func name(e syscall.Errno) string {
	for n, is := range map[string]syscall.Errno{"EPERM": syscall.EPERM, "EINVAL": syscall.EINVAL, "EACCES": syscall.EACCES, "EEXIST": syscall.EEXIST,
		"ENOENT": syscall.ENOENT, "EFAULT": syscall.EFAULT, "ENOTDIR": syscall.ENOTDIR, "EISDIR": syscall.EISDIR, "ELOOP": syscall.ELOOP, "ENOSYS": syscall.ENOSYS,
		"ENOEXEC": syscall.ENOEXEC, "EADDRINUSE": syscall.EADDRINUSE, "EROFS": syscall.EROFS, "ENAMETOOLONG": syscall.ENAMETOOLONG, "EBADF": syscall.EBADF} {
		if e == is {
			return n
		}
	}
	return strconv.Itoa(int(e))
}

func result(r uintptr, e syscall.Errno) string {
	if e != 0 {
		return name(e)
	}
	return strconv.Itoa(int(r))
}

func id(s string) uintptr {
	n, _ := strconv.ParseInt(s, 0, 64)
	return uintptr(uint32(n))
}

func cstring(s string) uintptr {
	p, _ := syscall.BytePtrFromString(s)
	keep = append(keep, p)
	return uintptr(unsafe.Pointer(p))
}

// keep holds what the kernel is given the address of.
var keep []any

func call(one []string) string {
	nr, old := number, false
	if one[0] == "16" {
		nr, old, one = number16, true, one[1:]
	}
	arg := func(i int) string {
		if i < len(one) {
			return one[i]
		}
		return "0"
	}
	raw := func(call string, a ...uintptr) string {
		n, ok := nr[call]
		if !ok { // newer machines have the newer form only
			if n, ok = nr[call+"at"]; !ok {
				return "no such call here"
			}
			at := ^uintptr(99) // AT_FDCWD
			if a = append([]uintptr{at}, a...); call == "symlink" {
				a[0], a[1] = a[1], at
			}
		}
		a = append(a, 0, 0, 0, 0, 0, 0)
		r, _, e := syscall.RawSyscall6(n, a[0], a[1], a[2], a[3], a[4], a[5])
		return result(r, e)
	}
	switch verb := arg(0); verb {
	case "setuid", "setgid", "setfsuid", "setfsgid", "setreuid", "setregid", "setresuid", "setresgid":
		a := []uintptr{}
		for _, s := range one[1:] {
			a = append(a, id(s))
		}
		return raw(verb, a...)
	case "getuid", "geteuid", "getgid", "getegid":
		return raw(verb)
	case "getresuid", "getresgid":
		return triple(nr[verb], old)
	case "setgroups":
		return setgroups(nr[verb], old, one[1:])
	case "getgroups":
		return getgroups(nr[verb], old, int(id(arg(1))))
	case "prctl":
		return raw("prctl", id(arg(1)), id(arg(2)), id(arg(3)), id(arg(4)), id(arg(5)))
	case "capset":
		return capset(one[1:])
	case "capget":
		return capget(uint32(id(arg(1))), int(id(arg(2))))
	case "show":
		return show()
	case "umask":
		return raw("umask", octal(arg(1)))
	case "stat":
		return stat(one[1:])
	case "fork":
		return fork(one[1:])
	case "crowd":
		return crowd(int(id(arg(1))))
	case "access", "eaccess":
		flags := uintptr(0)
		if verb == "eaccess" {
			flags = 0x200 // AT_EACCESS
		}
		_, _, e := syscall.RawSyscall6(439, ^uintptr(99), cstring(arg(1)), octal(arg(2)), flags, 0, 0) // faccessat2
		return result(0, e)
	case "oldaccess":
		return raw("faccess", cstring(arg(1)), octal(arg(2)))
	case "peer":
		return peer()
	}
	return file(raw, one)
}

// triple asks for real, effective and saved ids.
func triple(nr uintptr, old bool) string {
	var wide [3]uint32
	var narrow [3]uint16
	if old {
		if _, _, e := syscall.RawSyscall(nr, uintptr(unsafe.Pointer(&narrow[0])), uintptr(unsafe.Pointer(&narrow[1])), uintptr(unsafe.Pointer(&narrow[2]))); e != 0 {
			return name(e)
		}
		return fmt.Sprint(narrow)
	}
	if _, _, e := syscall.RawSyscall(nr, uintptr(unsafe.Pointer(&wide[0])), uintptr(unsafe.Pointer(&wide[1])), uintptr(unsafe.Pointer(&wide[2]))); e != 0 {
		return name(e)
	}
	return fmt.Sprint(wide)
}

func setgroups(nr uintptr, old bool, list []string) string {
	wide, narrow := make([]uint32, len(list)+1), make([]uint16, len(list)+1)
	for i, s := range list {
		wide[i], narrow[i] = uint32(id(s)), uint16(id(s))
	}
	at := uintptr(unsafe.Pointer(&wide[0]))
	if old {
		at = uintptr(unsafe.Pointer(&narrow[0]))
	}
	keep = append(keep, wide, narrow)
	r, _, e := syscall.RawSyscall(nr, uintptr(len(list)), at, 0)
	return result(r, e)
}

func getgroups(nr uintptr, old bool, room int) string {
	wide, narrow := make([]uint32, room+1), make([]uint16, room+1)
	at := uintptr(unsafe.Pointer(&wide[0]))
	if old {
		at = uintptr(unsafe.Pointer(&narrow[0]))
	}
	keep = append(keep, wide, narrow)
	r, _, e := syscall.RawSyscall(nr, uintptr(room), at, 0)
	if e != 0 || room == 0 {
		return result(r, e)
	}
	if old {
		return fmt.Sprint(narrow[:r])
	}
	return fmt.Sprint(wide[:r])
}

type capHeader struct{ version, pid uint32 }

const capVersion3 = 0x20080522

func capset(a []string) string {
	sets := [3]uint64{}
	now, _ := caps(capVersion3, 0)
	for i, s := range a {
		switch {
		case i >= len(sets):
		case s == "all":
			sets[i] = bounding()
		case s == "same":
			sets[i] = now[i]
		case s[0] == '-':
			sets[i] = now[i] &^ bits(s[1:])
		case s[0] == '+':
			sets[i] = now[i] | bits(s[1:])
		default:
			sets[i] = bits(s)
		}
	}
	h := capHeader{version: capVersion3}
	var d [2][3]uint32
	for i := range sets { // in the order effective, permitted, inheritable
		d[0][i], d[1][i] = uint32(sets[i]), uint32(sets[i]>>32)
	}
	_, _, e := syscall.RawSyscall(number["capset"], uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&d)), 0)
	return result(0, e)
}

// bits are the numbers of capabilities with commas between them.
func bits(s string) (set uint64) {
	for _, f := range strings.Split(s, ",") {
		if n, err := strconv.Atoi(f); err == nil {
			set |= 1 << n
		}
	}
	return set
}

func caps(version, pid uint32) ([3]uint64, syscall.Errno) {
	h := capHeader{version, pid}
	var d [2][3]uint32
	_, _, e := syscall.RawSyscall(number["capget"], uintptr(unsafe.Pointer(&h)), uintptr(unsafe.Pointer(&d)), 0)
	var sets [3]uint64
	for i := range sets {
		sets[i] = uint64(d[0][i]) | uint64(d[1][i])<<32
	}
	return sets, e
}

func capget(version uint32, pid int) string {
	sets, e := caps(version, uint32(pid))
	if e != 0 {
		return name(e)
	}
	var s []string
	for _, set := range sets {
		if version != capVersion3 && version != 0x20071026 {
			s = append(s, fmt.Sprintf("%08x", set))
			continue
		}
		s = append(s, shown(set))
	}
	return strings.Join(s, " ")
}

// lastCap is the highest capability that this kernel has.
var lastCap = sync.OnceValue(func() int {
	for n := 63; n >= 0; n-- {
		if _, _, e := syscall.RawSyscall(number["prctl"], syscall.PR_CAPBSET_READ, uintptr(n), 0); e == 0 {
			return n
		}
	}
	return -1
})

// bounding is the bounding set.
func bounding() (set uint64) {
	for n := 0; n <= lastCap(); n++ {
		if r, _, _ := syscall.RawSyscall(number["prctl"], syscall.PR_CAPBSET_READ, uintptr(n), 0); r == 1 {
			set |= 1 << n
		}
	}
	return set
}

// ambient is the ambient set.
func ambient() (set uint64) {
	for n := 0; n <= lastCap(); n++ {
		if r, _, e := syscall.RawSyscall6(number["prctl"], 47, 1, uintptr(n), 0, 0, 0); e == 0 && r == 1 {
			set |= 1 << n
		}
	}
	return set
}

// shown is a set in words that are the same whatever the number of capabilities that the kernel has.
func shown(set uint64) string {
	every := uint64(1)<<(lastCap()+1) - 1
	list := func(set uint64) string {
		var s []string
		for n := range 64 {
			if set&(1<<n) != 0 {
				s = append(s, strconv.Itoa(n))
			}
		}
		return strings.Join(s, ",")
	}
	switch {
	case set == 0:
		return "none"
	case set == every:
		return "all"
	case set&^every == 0 && set&(1<<5|1<<12|1<<30) == 1<<5|1<<12|1<<30: // most of them
		return "all-" + list(every&^set)
	}
	return list(set)
}

// show is everything that a process can read of its credentials.
func show() string {
	get := func(call string, a ...uintptr) int32 {
		a = append(a, 0, 0, 0, 0, 0)
		r, _, _ := syscall.RawSyscall6(number[call], a[0], a[1], a[2], a[3], a[4], 0)
		return int32(r)
	}
	none := ^uintptr(0)
	return fmt.Sprintf("uid %d %d %s fs %d; gid %d %d %s fs %d; groups %s; caps %s; bounding %s; ambient %s; securebits %d keep %d",
		get("getuid"), get("geteuid"), triple(number["getresuid"], false), get("setfsuid", none),
		get("getgid"), get("getegid"), triple(number["getresgid"], false), get("setfsgid", none),
		getgroups(number["getgroups"], false, 64), capget(capVersion3, 0), shown(bounding()), shown(ambient()),
		get("prctl", 27), get("prctl", 7))
}

// execute replaces this process by a program, with the rest of the calls.
func execute(one, rest []string) string {
	path := one[1]
	var argv []*byte
	for _, s := range append(append(append([]string{path}, one[2:]...), ";"), rest...) {
		p, _ := syscall.BytePtrFromString(s)
		argv = append(argv, p)
	}
	argv = append(argv, nil)
	env := []*byte{nil}
	at, list, vars := cstring(path), uintptr(unsafe.Pointer(&argv[0])), uintptr(unsafe.Pointer(&env[0]))
	var e syscall.Errno
	switch one[0] {
	case "exec":
		_, _, e = syscall.RawSyscall(number["execve"], at, list, vars)
	case "execat":
		_, _, e = syscall.RawSyscall6(number["execveat"], ^uintptr(99), at, list, vars, 0, 0) // AT_FDCWD
	case "execfd":
		fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
		if err != nil {
			return err.Error()
		}
		const emptyPath = 0x1000
		_, _, e = syscall.RawSyscall6(number["execveat"], uintptr(fd), cstring(""), list, vars, emptyPath, 0)
	}
	return name(e)
}

// fork starts this program with other calls, written with "," between them, and waits for it.
func fork(a []string) string {
	argv := []string{"/bin/guest", "|"}
	for _, s := range a {
		if s == "," {
			s = ";"
		}
		argv = append(argv, s)
	}
	pid, err := syscall.ForkExec("/bin/guest", argv, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
	if err != nil {
		return err.Error()
	}
	var status syscall.WaitStatus
	for {
		if _, err := syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
			return fmt.Sprint("ended ", status.ExitStatus())
		}
	}
}

// crowd starts as many processes at once, each of which becomes another user, makes a file, executes this program again, and
// makes one more.
func crowd(n int) string {
	var pids []int
	for i := 1; i <= n; i++ {
		user := strconv.Itoa(i)
		argv := []string{"/bin/guest", "|", "setresuid", user, user, user, ";", "creat", "/work/open/one-" + user, "600", ";",
			"exec", "/bin/guest", "|", ";", "creat", "/work/open/two-" + user, "600"}
		pid, err := syscall.ForkExec("/bin/guest", argv, &syscall.ProcAttr{Files: []uintptr{0, 1, 2}})
		if err != nil {
			return err.Error()
		}
		pids = append(pids, pid)
	}
	for _, pid := range pids {
		var status syscall.WaitStatus
		for {
			if _, err := syscall.Wait4(pid, &status, 0, nil); err != syscall.EINTR {
				break
			}
		}
	}
	return "all ended"
}
