package oneid

import (
	"encoding/binary"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// The numbers of calls in socketcall(2) (linux/net.h): on i386 the calls of sockets may come as one.
const (
	socketcallBind       = 2
	socketcallSetsockopt = 14
	socketcallGetsockopt = 15
)

// socketcall finds the arguments in memory.
func (r *request) socketcall() answer {
	var b [20]byte
	n := 12
	if r.u32(0) != socketcallBind {
		n = len(b)
	}
	if r.read(r.args[1], b[:n]) != nil {
		return proceed()
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(b[4*i:]) }
	switch {
	case n == 12:
		return r.bind(int(int32(word(0))), uint64(word(1)), word(2))
	case r.u32(0) == socketcallSetsockopt:
		if word(1) == unix.SOL_SOCKET && word(2) == unix.SO_PASSCRED {
			return r.passCreds()
		}
	case word(1) == unix.SOL_SOCKET && word(2) == unix.SO_PEERCRED:
		return r.peer(int(int32(word(0))), uint64(word(3)), uint64(word(4)))
	}
	return proceed()
}

// maxAddress is the size of struct sockaddr_un.
const maxAddress = 110

// bind is bind(2) of a socket to a path. It is done on the process's own socket, with its address and from its directory: others
// read the address as it was given.
func (r *request) bind(socket int, addr uint64, size uint32) answer {
	c, is := r.maker()
	if !is || size <= 2 || size > maxAddress {
		return proceed()
	}
	address := make([]byte, size)
	if err := r.read(addr, address); err != nil {
		return proceed()
	}
	path := address[2:]
	for i, b := range path {
		if b == 0 {
			path = path[:i]
			break
		}
	}
	if binary.NativeEndian.Uint16(address) != unix.AF_UNIX || len(path) == 0 {
		return proceed() // no file
	}
	m, err := r.making(c, unix.AT_FDCWD, string(path), 0o777)
	if err != nil {
		return failed(err)
	}
	defer m.done()
	if err := m.prepare(); err != nil {
		if errors.Is(err, unix.EEXIST) {
			err = unix.EADDRINUSE
		}
		return failed(err)
	}
	own, _, err := r.take(socket)
	if err != nil {
		return failed(err)
	}
	defer closeFD(own)
	if err := r.bindFrom(own, address, int(^m.mode&0o777)); err != nil {
		return failed(err)
	}
	if err := m.giveName(); err != nil {
		return failed(err)
	}
	return succeed(0)
}

// bindFrom binds a socket from the working directory of the process, with that of the worker's put back.
func (r *request) bindFrom(socket int, address []byte, umask int) (err error) {
	if err := r.enter(); err != nil {
		return err
	}
	if err := unix.Chdir(r.proc("cwd")); err != nil {
		return err
	}
	defer func() {
		unix.Umask(0)
		err = errors.Join(err, unix.Fchdir(r.w.files))
	}()
	unix.Umask(umask)
	if err := r.valid(); err != nil {
		return err
	}
	_, _, errno := unix.RawSyscall(unix.SYS_BIND, uintptr(socket), uintptr(unsafe.Pointer(&address[0])), uintptr(len(address)))
	if errno != 0 {
		return errno
	}
	return nil
}
