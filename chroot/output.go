package chroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"
)

// drainTime is how long Run waits for the end of the output when every process has ended. There is nothing to wait for
// unless the process gave the pipe to one outside, over a socket on a volume.
const drainTime = 2 * time.Second

// output copies from a pipe to a writer, and never stops reading: a process that writes must not hang
// because its log cannot be written.
type output struct {
	read, write *os.File
	to          io.Writer
	failed      context.CancelCauseFunc
	err         error // of the writer; read after done
	done        chan struct{}
}

func newOutput(to io.Writer, failed context.CancelCauseFunc) (*output, error) {
	if to == nil {
		to = io.Discard
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	o := &output{read: r, write: w, to: to, failed: failed, done: make(chan struct{})}
	// A script may open /dev/stderr as a user who is not root.
	if err := w.Chmod(0o666); err != nil {
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	return o, nil
}

// start begins to copy, when the stage has its end of the pipe.
func (o *output) start() {
	_ = o.write.Close() // ours; nothing was written
	go func() {
		defer close(o.done)
		buf := make([]byte, 64<<10)
		for {
			n, err := o.read.Read(buf)
			o.give(buf[:n])
			if errors.Is(err, os.ErrDeadlineExceeded) {
				o.rest(buf)
				return
			}
			if err != nil {
				return
			}
		}
	}()
}

// rest takes what is in the pipe already, without waiting for more.
func (o *output) rest(buf []byte) {
	raw, err := o.read.SyscallConn()
	if err != nil {
		return
	}
	for left := 1 << 20; left > 0; { // the most that a pipe holds: whoever still writes does not keep us
		n := 0
		// Read's callback is not called at all past the deadline; Control's is.
		if raw.Control(func(fd uintptr) { n, err = syscall.Read(int(fd), buf) }) != nil || err != nil || n <= 0 {
			return
		}
		o.give(buf[:n])
		left -= n
	}
}

func (o *output) give(b []byte) {
	if len(b) == 0 || o.err != nil {
		return
	}
	if n, err := o.to.Write(b); err != nil {
		o.err = err
	} else if n < len(b) {
		o.err = io.ErrShortWrite
	}
	if o.err != nil {
		o.failed(o.err)
	}
}

// finish waits for the end of the output, if the copying was started, and closes the pipe.
func (o *output) finish(started bool) error {
	if !started {
		return errors.Join(o.read.Close(), o.write.Close())
	}
	late := time.AfterFunc(drainTime, func() {
		_ = o.read.SetReadDeadline(time.Now()) // fails only when it is closed already
	})
	<-o.done
	late.Stop()
	return errors.Join(o.err, o.read.Close())
}
