package stage

import (
	"errors"
	"fmt"
	"os"
	"runtime"

	"golang.org/x/sys/unix"
)

// maxFiles is how many files one message carries (SCM_MAX_FD of the kernel).
const maxFiles = 253

// socketPair makes two connected sockets that are not inherited. Reading and writing of the first never blocks a thread; of
// the second neither, unless blocking asks for it: a new process takes it as it is.
func socketPair(kind int, blocking bool) (ours, theirs *os.File, err error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, kind|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, nil, fmt.Errorf("make a socket pair: %w", err)
	}
	if blocking {
		if err := unix.SetNonblock(pair[1], false); err != nil {
			return nil, nil, errors.Join(err, unix.Close(pair[0]), unix.Close(pair[1]))
		}
	}
	return os.NewFile(uintptr(pair[0]), "socket"), os.NewFile(uintptr(pair[1]), "socket of a stage"), nil
}

// sendFiles sends open files as one message. The caller may close them afterwards.
func sendFiles(socket *os.File, files []*os.File) error {
	if len(files) > maxFiles {
		return fmt.Errorf("send %d files: the kernel takes %d in a message", len(files), maxFiles)
	}
	fds := make([]int, len(files))
	for i, f := range files {
		raw, err := f.SyscallConn() // f.Fd would make it blocking, for everybody who has it open
		if err != nil {
			return err
		}
		if err := raw.Control(func(fd uintptr) { fds[i] = int(fd) }); err != nil {
			return err
		}
	}
	raw, err := socket.SyscallConn()
	if err != nil {
		return err
	}
	rights := unix.UnixRights(fds...)
	writeErr := raw.Write(func(fd uintptr) bool {
		for {
			err = unix.Sendmsg(int(fd), []byte{0}, rights, nil, unix.MSG_NOSIGNAL)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	runtime.KeepAlive(files)
	if err = errors.Join(err, writeErr); err != nil {
		return fmt.Errorf("send files: %w", err)
	}
	return nil
}

// errTruncated: this process may not open as many files as came.
var errTruncated = errors.New("receive files: too many are open")

// receiveFiles receives what sendFiles has sent; none at the end of the stream. They are close-on-exec.
func receiveFiles(socket *os.File) ([]*os.File, error) {
	raw, err := socket.SyscallConn()
	if err != nil {
		return nil, err
	}
	var b [1]byte
	oob := make([]byte, unix.CmsgSpace(4*maxFiles))
	var n, flags int
	readErr := raw.Read(func(fd uintptr) bool {
		for {
			_, n, flags, _, err = unix.Recvmsg(int(fd), b[:], oob, unix.MSG_CMSG_CLOEXEC)
			if !errors.Is(err, unix.EINTR) {
				return !errors.Is(err, unix.EAGAIN)
			}
		}
	})
	if err = errors.Join(err, readErr); err != nil {
		return nil, fmt.Errorf("receive files: %w", err)
	}
	files, err := takeFiles(oob[:n])
	if err == nil && flags&unix.MSG_CTRUNC != 0 {
		err = errTruncated
	}
	if err != nil {
		return nil, errors.Join(err, closeAll(files))
	}
	return files, nil
}

// takeFiles makes files of the numbers in a control message.
func takeFiles(oob []byte) ([]*os.File, error) {
	messages, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		return nil, fmt.Errorf("receive files: %w", err)
	}
	var files []*os.File
	for _, m := range messages {
		fds, err := unix.ParseUnixRights(&m)
		if err != nil {
			return files, fmt.Errorf("receive files: %w", err)
		}
		for _, fd := range fds {
			files = append(files, os.NewFile(uintptr(fd), fmt.Sprintf("received file %d", fd)))
		}
	}
	return files, nil
}

// closeAll closes files, but those that are closed already.
func closeAll(files []*os.File) error {
	var all error
	for _, f := range files {
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			all = errors.Join(all, err)
		}
	}
	return all
}
