package chroot

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// A Terminal has the process get a pseudo-terminal (pty(7)) of the node's own, as its standard files and as what controls it: it
// shares none with the host, so that it can neither read nor push back what is typed there (TIOCSTI), nor change its settings.
type Terminal struct {
	// Rows and Columns at the beginning.
	Rows, Columns uint16
	// Attach is given the terminal's other end when the process is there: what it writes to it is typed, what it reads is shown, and
	// window sizes are set on it (TIOCSWINSZ). Reading ends with an error when no process of the node has the terminal any
	// more, and Attach is to return then. It is called in a goroutine of its own. Run waits for it, and closes the file.
	Attach func(pty *os.File)
}

// A terminal is Run's side of a Terminal.
//
//	Run ── here ═ pair of sockets ═ there ── init: opens /dev/pts/ptmx of the node, sends it
//	 │
//	 └─ pty, as it came
type terminal struct {
	here, there *os.File
	attach      func(*os.File)
	pty         atomic.Pointer[os.File]
	done        chan struct{}
}

func newTerminal(t *Terminal) (*terminal, error) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_SEQPACKET|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("make a pair of sockets: %w", err)
	}
	return &terminal{
		here: os.NewFile(uintptr(pair[0]), "terminal"), there: os.NewFile(uintptr(pair[1]), "terminal"), attach: t.Attach, done: make(chan struct{}),
	}, nil
}

// start waits for the terminal, and has it attached.
func (t *terminal) start() {
	_ = t.there.Close() // ours; nothing was written
	go func() {
		defer close(t.done)
		pty, err := receiveFile(t.here)
		if err != nil {
			return // init has ended without a process: it says why
		}
		t.pty.Store(pty)
		t.attach(pty)
	}()
}

// finish waits until the terminal is not attached any more, and closes it.
func (t *terminal) finish(started bool) error {
	if !started {
		return errors.Join(t.here.Close(), t.there.Close())
	}
	hangUp := func() error {
		if pty := t.pty.Swap(nil); pty != nil {
			return pty.Close()
		}
		return nil
	}
	// Every process has ended. Only where one outside was given the terminal, over a socket on a volume, is there something to wait for.
	late := time.AfterFunc(drainTime, func() { _ = hangUp() })
	<-t.done
	late.Stop()
	return errors.Join(hangUp(), t.here.Close())
}

// receiveFile waits for the one message with a file that comes over a socket.
func receiveFile(from *os.File) (*os.File, error) {
	data, rights := make([]byte, 1), make([]byte, unix.CmsgSpace(4))
	var n int
	for {
		var err error
		if _, n, _, _, err = unix.Recvmsg(int(from.Fd()), data, rights, unix.MSG_CMSG_CLOEXEC); err == nil {
			break
		} else if !errors.Is(err, unix.EINTR) {
			return nil, fmt.Errorf("receive a file: %w", err)
		}
	}
	messages, err := unix.ParseSocketControlMessage(rights[:n])
	if err != nil || len(messages) != 1 {
		return nil, errors.Join(err, errors.New("receive a file: there is none"))
	}
	fds, err := unix.ParseUnixRights(&messages[0])
	if err != nil || len(fds) != 1 {
		return nil, errors.Join(err, errors.New("receive a file: there is none"))
	}
	if err := unix.SetNonblock(fds[0], true); err != nil { // so that closing it ends a read
		return nil, errors.Join(err, unix.Close(fds[0]))
	}
	return os.NewFile(uintptr(fds[0]), "ptmx"), nil
}

// openTerminal opens a new pseudo-terminal of the guest: its master, and what programs know.
func openTerminal(rows, columns uint16) (master, slave *os.File, err error) {
	fd, err := unix.Open("/dev/pts/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, nil, &os.PathError{Op: "open", Path: "/dev/pts/ptmx", Err: err}
	}
	master = os.NewFile(uintptr(fd), "ptmx")
	number, err := unix.IoctlGetUint32(fd, unix.TIOCGPTN)
	if err == nil {
		err = unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0)
	}
	if err == nil {
		err = unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: columns})
	}
	name := fmt.Sprintf("/dev/pts/%d", number)
	if err == nil {
		fd, err = unix.Open(name, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("make a pseudo-terminal: %w", err), master.Close())
	}
	return master, os.NewFile(uintptr(fd), name), nil
}
