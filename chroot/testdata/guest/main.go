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
	"sort"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"../steps"
)

func main() {
	steps.All(os.Args[1:], do, func(one []string) string { return one[0] })
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
		return prlimit(num(0), num(1), num(2))
	case "prlimits": // of each thread of a process
		return prlimits(arg(0), num(1), num(2))
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
	case "window": // its size, whether it controls this session, and its size when that has changed
		return window()
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
