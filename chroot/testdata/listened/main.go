// Command listened executes a program whose calls somebody listens to already, as some containers' are: with a filter that lets all pass.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"unsafe"
)

func main() {
	runtime.LockOSThread()
	type filter struct {
		code   uint16
		jt, jf uint8
		k      uint32
	}
	allow := []filter{{code: 6, k: 0x7fff0000}}
	prog := struct {
		n uint16
		p *filter
	}{1, &allow[0]}
	const prSetNoNewPrivs, newListener = 38, 8
	number := map[string]uintptr{"amd64": 317, "arm64": 277}[runtime.GOARCH]
	if os.Geteuid() != 0 { // newuidmap would lose its rights, but with one id it is not needed
		if _, _, e := syscall.RawSyscall6(syscall.SYS_PRCTL, prSetNoNewPrivs, 1, 0, 0, 0, 0); e != 0 {
			fail(e)
		}
	}
	if _, _, e := syscall.RawSyscall(number, 1, newListener, uintptr(unsafe.Pointer(&prog))); e != 0 {
		fail(e)
	}
	c := exec.Command(os.Args[1], os.Args[2:]...) // the listener stays open here
	c.Stdin, c.Stdout, c.Stderr = os.Stdin, os.Stdout, os.Stderr
	if err := c.Run(); err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}
