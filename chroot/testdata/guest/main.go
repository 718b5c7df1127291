// Command guest is what the tests execute in a node: a static program that does one thing after another, as its
// arguments say, with ";" between them.
package main

import (
	"fmt"
	"io"
	"math/bits"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"
)

func main() {
	var one []string
	for _, a := range append(os.Args[1:], ";") {
		if a != ";" {
			one = append(one, a)
			continue
		}
		if len(one) > 0 {
			if err := do(one[0], one[1:]); err != nil {
				fmt.Printf("%s: error: %v\n", one[0], err)
			}
		}
		one = nil
	}
}

func do(verb string, a []string) error {
	arg := func(i int) string {
		if i < len(a) {
			return a[i]
		}
		return ""
	}
	num := func(i int) int { n, _ := strconv.Atoi(arg(i)); return n }
	switch verb {
	case "print":
		fmt.Println(strings.Join(a, " "))
	case "eprint":
		fmt.Fprintln(os.Stderr, strings.Join(a, " "))
	case "marker": // visible in /proc/PID/cmdline
	case "exit":
		os.Exit(num(0))
	case "kill":
		signal.Reset()
		if err := syscall.Kill(os.Getpid(), syscall.Signal(num(0))); err != nil {
			return err
		}
		time.Sleep(time.Hour)
	case "signal":
		return syscall.Kill(num(0), syscall.Signal(num(1)))
	case "barrage": // every signal that init does not pass on, to each of its threads, in all ways that there are
		return barrage()
	case "prlimit": // of a process: the limit, soft and hard
		value := [2]uint64{uint64(num(2)), uint64(num(2))}
		if _, _, e := syscall.RawSyscall6(prlimit64(), uintptr(num(0)), uintptr(num(1)), uintptr(unsafe.Pointer(&value)), 0, 0, 0); e != 0 {
			return e
		}
	case "prlimits": // of each thread of a process
		tasks, err := os.ReadDir("/proc/" + arg(0) + "/task")
		value := [2]uint64{uint64(num(2)), uint64(num(2))}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			_, _, e := syscall.RawSyscall6(prlimit64(), uintptr(tid), uintptr(num(1)), uintptr(unsafe.Pointer(&value)), 0, 0, 0)
			if e != syscall.EPERM {
				fmt.Println("prlimit of", tid, e)
			}
		}
		fmt.Println("tried", len(tasks) > 1)
		return err
	case "ignore":
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	case "trap":
		c := make(chan os.Signal, 1)
		signal.Notify(c, syscall.SIGTERM, syscall.SIGHUP)
		fmt.Println("ready")
		if len(a) > 1 { // and be sent one
			if err := syscall.Kill(num(0), syscall.Signal(num(1))); err != nil {
				return err
			}
		}
		fmt.Println("got", <-c)
	case "sleep":
		d, err := time.ParseDuration(arg(0))
		if err != nil {
			return err
		}
		time.Sleep(d)
	case "spawn", "daemon", "wait":
		cmd := exec.Command("/proc/self/exe", split(a)...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		if verb == "wait" {
			return cmd.Run()
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: verb == "daemon"}
		return cmd.Start()
	case "background": // a program, until it has said a word
		cmd := exec.Command(arg(0), a[2:]...)
		out, err := cmd.StdoutPipe()
		if err != nil {
			return err
		}
		if err := cmd.Start(); err != nil {
			return err
		}
		word := make([]byte, len(arg(1)))
		_, err = io.ReadFull(out, word)
		fmt.Println(string(word))
		return err
	case "processes": // what /proc tells of each: its program and its arguments
		return processes()
	case "cat":
		data, err := os.ReadFile(arg(0))
		if err != nil {
			return err
		}
		os.Stdout.Write(data)
	case "write":
		return os.WriteFile(arg(0), []byte(arg(1)), 0o644)
	case "open":
		f, err := os.OpenFile(arg(0), os.O_WRONLY, 0)
		if err != nil {
			return err
		}
		return f.Close()
	case "mkdir":
		return os.MkdirAll(arg(0), 0o755)
	case "rm":
		return os.RemoveAll(arg(0))
	case "rename":
		return os.Rename(arg(0), arg(1))
	case "symlink":
		return os.Symlink(arg(0), arg(1))
	case "readlink":
		s, err := os.Readlink(arg(0))
		fmt.Println(s)
		return err
	case "chown":
		return os.Chown(arg(0), num(1), num(2))
	case "chmod":
		m, _ := strconv.ParseUint(arg(1), 8, 32)
		return syscall.Chmod(arg(0), uint32(m))
	case "setid":
		if err := syscall.Setresgid(num(1), num(1), num(1)); err != nil {
			return err
		}
		return syscall.Setresuid(num(0), num(0), num(0))
	case "mknod":
		return syscall.Mknod(arg(0), syscall.S_IFCHR|0o600, 1<<8|3)
	case "exec":
		out, err := exec.Command(arg(0), a[1:]...).CombinedOutput()
		fmt.Print(string(out))
		return err
	case "umount":
		return syscall.Unmount(arg(0), syscall.MNT_DETACH)
	case "mount":
		return syscall.Mount("none", arg(1), arg(0), 0, "")
	case "remount": // a mount's flags, to none
		return syscall.Mount("", arg(0), "", syscall.MS_REMOUNT|syscall.MS_BIND, "")
	case "bind":
		return syscall.Mount(arg(0), arg(1), "", syscall.MS_BIND|syscall.MS_REC, "")
	case "sandbox": // as Portage's: new namespaces, a /proc of their own
		cmd := exec.Command("/proc/self/exe", split(a)...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWNET | syscall.CLONE_NEWIPC}
		return cmd.Run()
	case "steal":
		return steal(num(0))
	case "keys":
		return keys()
	case "connect": // to an abstract socket
		s, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		return syscall.Connect(s, &syscall.SockaddrUnix{Name: "@" + arg(0)})
	case "abstract": // such a socket
		s, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
		if err != nil {
			return err
		}
		if err := syscall.Bind(s, &syscall.SockaddrUnix{Name: "@" + arg(0)}); err != nil {
			return err
		}
		return syscall.Listen(s, 1)
	case "signals":
		return signals()
	case "nice":
		nice, err := syscall.Getpriority(syscall.PRIO_PROCESS, 0)
		fmt.Println("nice", 20-nice)
		return err
	case "cpus":
		var mask [128]uint64
		if _, _, e := syscall.RawSyscall(syscall.SYS_SCHED_GETAFFINITY, 0, unsafe.Sizeof(mask), uintptr(unsafe.Pointer(&mask))); e != 0 {
			return e
		}
		n := 0
		for _, m := range mask {
			n += bits.OnesCount64(m)
		}
		fmt.Println("cpus", n)
	case "ls":
		entries, err := os.ReadDir(arg(0))
		for _, e := range entries {
			fmt.Print(e.Name(), " ")
		}
		fmt.Println()
		return err
	case "stat":
		for _, p := range a {
			var st syscall.Stat_t
			if err := syscall.Lstat(p, &st); err != nil {
				return fmt.Errorf("%s: %w", p, err)
			}
			fmt.Printf("%s %o %d:%d rdev %d\n", p, st.Mode, st.Uid, st.Gid, st.Rdev)
		}
	case "env":
		e := os.Environ()
		sort.Strings(e)
		fmt.Println(strings.Join(e, "|"))
	case "cwd":
		d, err := os.Getwd()
		fmt.Println(d)
		return err
	case "ids":
		groups, _ := os.Getgroups()
		fmt.Println(os.Getuid(), os.Getgid(), groups)
	case "pid":
		sid, _, _ := syscall.Syscall(syscall.SYS_GETSID, 0, 0, 0)
		fmt.Println(os.Getpid(), os.Getppid(), sid)
	case "umask":
		fmt.Printf("%04o\n", syscall.Umask(0))
	case "uname":
		var u syscall.Utsname
		if err := syscall.Uname(&u); err != nil {
			return err
		}
		fmt.Println(chars(u.Nodename), chars(u.Domainname), chars(u.Machine))
	case "limit":
		var l syscall.Rlimit
		err := syscall.Getrlimit(num(0), &l)
		fmt.Println(l.Cur, l.Max)
		return err
	case "grep":
		data, err := os.ReadFile(arg(0))
		if err != nil {
			return err
		}
		for _, l := range strings.Split(string(data), "\n") {
			if strings.Contains(l, arg(1)) {
				fmt.Println(l)
			}
		}
	case "fds":
		for fd := 0; fd < 1024; fd++ {
			if _, _, e := syscall.Syscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0); e == 0 {
				fmt.Print(fd, " ")
			}
		}
		fmt.Println()
	case "flood":
		line := []byte(strings.Repeat("x", 1023) + "\n")
		for n := num(0); n > 0; n -= len(line) {
			if _, err := os.Stdout.Write(line); err != nil {
				return err
			}
		}
	case "ifaces":
		return ifaces()
	case "listen": // at a port of loopback; none: any that is free
		port, _ := strconv.Atoi(arg(0))
		return listen(port)
	case "alone": // until init and this are all that there is, or for the time given
		limit, err := time.ParseDuration(arg(0))
		if err != nil {
			return err
		}
		for end := time.Now().Add(limit); time.Now().Before(end); time.Sleep(time.Millisecond) {
			if all, _ := filepath.Glob("/proc/[0-9]*"); len(all) <= 2 {
				break
			}
		}
	case "zombies":
		n := 0
		dirs, _ := os.ReadDir("/proc")
		for _, d := range dirs {
			if data, err := os.ReadFile("/proc/" + d.Name() + "/stat"); err == nil && strings.Contains(string(data), ") Z ") {
				n++
			}
		}
		fmt.Println("zombies", n)
	default:
		return fmt.Errorf("unknown verb")
	}
	return nil
}

// barrage sends all signals to init that it does not pass on.
func barrage() error {
	tasks, err := os.ReadDir("/proc/1/task")
	if err != nil {
		return err
	}
	passedOn := []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGUSR1, syscall.SIGUSR2}
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		skip := false
		for _, s := range passedOn {
			skip = skip || s == sig
		}
		if skip {
			continue
		}
		for _, task := range tasks {
			tid, _ := strconv.Atoi(task.Name())
			syscall.Kill(1, sig)
			syscall.RawSyscall(syscall.SYS_TGKILL, 1, uintptr(tid), uintptr(sig))
			info := [32]int32{int32(sig), 0, -1} // siginfo_t with SI_QUEUE
			syscall.RawSyscall(syscall.SYS_RT_SIGQUEUEINFO, 1, uintptr(sig), uintptr(unsafe.Pointer(&info)))
			syscall.RawSyscall6(syscall.SYS_RT_TGSIGQUEUEINFO, 1, uintptr(tid), uintptr(sig), uintptr(unsafe.Pointer(&info)), 0, 0)
		}
	}
	fmt.Println("all sent")
	return nil
}

// prlimit64 is its number.
func prlimit64() uintptr {
	return map[string]uintptr{"amd64": 302, "386": 340, "arm64": 261, "arm": 369, "riscv64": 261}[runtime.GOARCH]
}

// Package net would take as long to compile as all else, for each architecture.

// ifaces prints the network interfaces and whether they are up (ioctl SIOCGIFNAME, SIOCGIFFLAGS).
func ifaces() error {
	s, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_DGRAM, 0)
	if err != nil {
		return err
	}
	for index := int32(1); index < 16; index++ {
		var request struct { // struct ifreq
			name  [syscall.IFNAMSIZ]byte
			value int32
			_     [20]byte
		}
		request.value = index
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCGIFNAME, uintptr(unsafe.Pointer(&request))); e != 0 {
			continue
		}
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, uintptr(s), syscall.SIOCGIFFLAGS, uintptr(unsafe.Pointer(&request))); e != 0 {
			return e
		}
		name, _, _ := strings.Cut(string(request.name[:]), "\x00")
		fmt.Print(name, " ", request.value&syscall.IFF_UP != 0, ";")
	}
	fmt.Println()
	return syscall.Close(s)
}

// listen makes a server on the loopback interface, and connects to it.
func listen(port int) error {
	server, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := syscall.Bind(server, &syscall.SockaddrInet4{Port: port, Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return err
	}
	if err := syscall.Listen(server, 1); err != nil {
		return err
	}
	at, err := syscall.Getsockname(server)
	if err != nil {
		return err
	}
	client, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	if err := syscall.Connect(client, at); err != nil {
		return err
	}
	fmt.Println("connected")
	return nil
}

// steal takes the open files of a process (pidfd_open, pidfd_getfd), and says what it got.
func steal(pid int) error {
	const pidfdOpen, pidfdGetfd = 434, 438
	p, _, e := syscall.Syscall(pidfdOpen, uintptr(pid), 0, 0)
	if e != 0 {
		return e
	}
	for fd := uintptr(0); fd < 32; fd++ {
		if _, _, e = syscall.Syscall(pidfdGetfd, p, fd, 0); e == 0 {
			fmt.Println("stolen", fd)
		}
	}
	return e
}

// keys prints the description of the session keyring and the keys in it (keyctl KEYCTL_DESCRIBE, KEYCTL_READ).
func keys() error {
	const describe, read, session = 6, 11, -3
	text := make([]byte, 256)
	ring := session
	n, _, e := syscall.Syscall6(syscall.SYS_KEYCTL, describe, uintptr(ring), uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)), 0, 0)
	if e != 0 {
		return e
	}
	fmt.Printf("keyring %s\n", text[:min(int(n), len(text))-1])
	ids := make([]int32, 16)
	n, _, e = syscall.Syscall6(syscall.SYS_KEYCTL, read, uintptr(ring), uintptr(unsafe.Pointer(&ids[0])), 4*16, 0, 0)
	if e != 0 {
		return e
	}
	for _, id := range ids[:min(int(n)/4, len(ids))] {
		if n, _, e = syscall.Syscall6(syscall.SYS_KEYCTL, read, uintptr(id), uintptr(unsafe.Pointer(&text[0])), uintptr(len(text)), 0, 0); e == 0 {
			fmt.Printf("key %s\n", text[:min(int(n), len(text))])
		}
	}
	return nil
}

// signals prints which signals are ignored or blocked. The runtime of Go has changed both by now, but not in its own
// first thread's mask; what was inherited shows in a program that is executed as it is: see the test.
func signals() error {
	data, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return err
	}
	for _, l := range strings.Split(string(data), "\n") {
		if strings.HasPrefix(l, "SigBlk") || strings.HasPrefix(l, "SigIgn") {
			fmt.Println(l)
		}
	}
	return nil
}

// split takes a nested list of verbs, with "," between them.
func split(a []string) []string {
	out := make([]string, len(a))
	for i, s := range a {
		if s == "," {
			s = ";"
		}
		out[i] = s
	}
	return out
}

func chars[T int8 | uint8](c [65]T) string {
	var b []byte
	for _, x := range c {
		if x == 0 {
			break
		}
		b = append(b, byte(x))
	}
	return string(b)
}

// processes prints the program and the arguments of every process that /proc lists, and those that are gone by
// then not at all.
func processes() error {
	ids, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, dir := range ids {
		exe, _ := os.Readlink(dir + "/exe")
		args, _ := os.ReadFile(dir + "/cmdline")
		fmt.Printf("%s %s\n", exe, args)
	}
	return nil
}
