package main

import (
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"unsafe"
)

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

// prlimit sets a limit of a process, soft and hard.
func prlimit(pid, kind, limit int) error {
	value := [2]uint64{uint64(limit), uint64(limit)}
	if _, _, e := syscall.RawSyscall6(prlimit64(), uintptr(pid), uintptr(kind), uintptr(unsafe.Pointer(&value)), 0, 0, 0); e != 0 {
		return e
	}
	return nil
}

// prlimits tries that with each thread of a process, and says where it is not refused.
func prlimits(pid string, kind, limit int) error {
	tasks, err := os.ReadDir("/proc/" + pid + "/task")
	for _, task := range tasks {
		tid, _ := strconv.Atoi(task.Name())
		if err := prlimit(tid, kind, limit); err != syscall.EPERM && err != syscall.ESRCH { // a thread may have ended since
			fmt.Println("prlimit of", tid, err)
		}
	}
	fmt.Println("tried", len(tasks) > 1)
	return err
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

// window tells of the terminal that is standard input (ioctl_tty(2)).
func window() error {
	changed := make(chan os.Signal, 1)
	signal.Notify(changed, syscall.SIGWINCH)
	var size [4]uint16
	var session, foreground int32
	for _, ask := range []struct {
		request uintptr
		to      unsafe.Pointer
	}{{syscall.TIOCGWINSZ, unsafe.Pointer(&size)}, {syscall.TIOCGSID, unsafe.Pointer(&session)}, {syscall.TIOCGPGRP, unsafe.Pointer(&foreground)}} {
		if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, 0, ask.request, uintptr(ask.to)); e != 0 {
			return e
		}
	}
	pid := int32(os.Getpid())
	fmt.Println("window", size[0], size[1], session == pid, foreground == pid)
	<-changed
	if _, _, e := syscall.Syscall(syscall.SYS_IOCTL, 0, syscall.TIOCGWINSZ, uintptr(unsafe.Pointer(&size))); e != 0 {
		return e
	}
	fmt.Println("window", size[0], size[1])
	return nil
}
