package oneid

import (
	"bytes"
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A request is one call of one thread. What it points to may change while it is looked at.
type request struct {
	w    *worker
	abi  *abi
	call *call
	tid  int
	args [6]uint64

	entered bool // the worker has the root of the thread
}

// errProceed has the kernel answer.
var errProceed = errors.New("the kernel's to answer")

// errnoOf is the error that a process gets.
func errnoOf(err error) unix.Errno {
	var errno unix.Errno
	if errors.As(err, &errno) {
		return errno
	}
	return unix.EIO
}

// failed answers with an error of the supervisor's; errProceed has the kernel answer.
func failed(err error) answer {
	if errors.Is(err, errProceed) {
		return proceed()
	}
	return fail(err)
}

// fd is an argument that is a descriptor.
func (r *request) fd(i int) int { return int(int32(uint32(r.args[i]))) }

// u32 is an argument of 32 bits.
func (r *request) u32(i int) uint32 { return uint32(r.args[i]) }

// valid returns an error where the call does not wait any more: then what was found may be another process's.
func (r *request) valid() error {
	if !r.w.listener.valid(r.w.n.id) {
		return unix.ESRCH
	}
	return nil
}

// pageSize is the least there is: memory may end with each.
const pageSize = 4096

// text reads a string that ends with a zero, shorter than limit, or returns tooLong.
func (r *request) text(addr uint64, limit int, tooLong unix.Errno) (string, error) {
	var out []byte
	buf := r.w.text[:]
	for {
		// Never over the end of a page: the next one may be missing, and the string be over.
		n := min(len(buf), pageSize-int(addr%pageSize))
		if err := r.read(addr, buf[:n]); err != nil {
			return "", err
		}
		if end := bytes.IndexByte(buf[:n], 0); end >= 0 {
			if out = append(out, buf[:end]...); len(out) >= limit {
				return "", tooLong
			}
			return string(out), nil
		}
		if out = append(out, buf[:n]...); len(out) >= limit {
			return "", tooLong
		}
		addr += uint64(n)
	}
}

// pathArg reads a path.
func (r *request) pathArg(i int) (string, error) {
	return r.text(r.args[i], unix.PathMax, unix.ENAMETOOLONG)
}

// read fills buf from the memory of the process.
func (r *request) read(addr uint64, buf []byte) error {
	return r.transfer(unix.SYS_PROCESS_VM_READV, addr, buf)
}

// write puts data into the memory of the process, which must still be waiting.
func (r *request) write(addr uint64, data []byte) error {
	if err := r.valid(); err != nil {
		return err
	}
	return r.transfer(unix.SYS_PROCESS_VM_WRITEV, addr, data)
}

func (r *request) transfer(nr uintptr, addr uint64, data []byte) error {
	if len(data) == 0 {
		return nil
	}
	local := unix.Iovec{Base: &data[0]}
	local.SetLen(len(data))
	remote := [2]uintptr{uintptr(addr), uintptr(len(data))} // struct iovec with an address that is not ours
	n, _, errno := unix.Syscall6(nr, uintptr(r.tid), uintptr(unsafe.Pointer(&local)), 1, uintptr(unsafe.Pointer(&remote)), 1, 0)
	if errno != 0 {
		if errno == unix.EPERM {
			return errProceed // not ours to look into
		}
		return errno
	}
	if int(n) != len(data) {
		return unix.EFAULT
	}
	return nil
}

// proc names a file of the thread's in /proc, from the working directory of a worker.
func (r *request) proc(name string) string { return procOf(r.tid, name) }

// procOf is proc of any thread.
func procOf(tid int, name string) string { return "../../" + itoa(tid) + "/" + name }

// closeFD closes what nothing was written through.
func closeFD(fd int) {
	if fd >= 0 {
		_ = unix.Close(fd)
	}
}
