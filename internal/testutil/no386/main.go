// Command no386 executes a command as on a machine whose kernel executes no 32-bit x86 programs (CONFIG_IA32_EMULATION,
// or ia32_emulation=0 on its command line): to play such a machine where there is none.
//
//	go run ./internal/testutil/no386 COMMAND [ARGUMENT…]
//
// A system call of such a program, the first included, kills it. (A real one would refuse to execute it; seccomp does
// not see what is being executed.) Emulators make the calls of this machine's own kind and work. Whoever is not root
// gets no more privileges from programs such as newuidmap, and so is confined to one id.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

func main() {
	if len(os.Args) < 2 {
		fmt.Fprintln(os.Stderr, "usage: no386 COMMAND [ARGUMENT…]")
		os.Exit(2)
	}
	err := run(os.Args[1:])
	fmt.Fprintln(os.Stderr, "no386:", err)
	os.Exit(126)
}

// run becomes the command; it returns only where that fails.
func run(args []string) error {
	path, err := exec.LookPath(args[0])
	if err != nil {
		return err
	}
	runtime.LockOSThread() // what executes another program has the filter
	if os.Geteuid() != 0 {
		if err := unix.Prctl(unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0); err != nil {
			return fmt.Errorf("give up privileges to come: %w", err)
		}
	}
	// struct seccomp_data: the architecture of the call is its second word.
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: 4},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, Jt: 0, Jf: 1, K: unix.AUDIT_ARCH_I386},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_KILL_PROCESS},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&program)), 0, 0); err != nil {
		return fmt.Errorf("install the filter: %w", err)
	}
	return syscall.Exec(path, args, os.Environ())
}
