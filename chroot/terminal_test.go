package chroot

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Standard input is a pipe, standard error goes its own way, and nothing else is open.
func TestNodeStreams(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h, ordinary()...)
	in, to, err := os.Pipe()
	must(t, err)
	defer in.Close()
	must(t, in.Chmod(0o666))
	go func() {
		_, _ = io.WriteString(to, "typed\n")
		_ = to.Close()
	}()
	var out, errs bytes.Buffer
	n := r.freshWork()
	n.Input, n.Output, n.Errors = in, &out, &errs
	n.Spec.Process.Args = []string{"/bin/guest", "fds", ";", "cat", "/proc/self/fd/0", ";", "eprint", "bad", ";", "print", "good", ";", "exit", "3"}
	exit, err := h.Run(context.Background(), n)
	must(t, err)
	if exit.Code != 3 || out.String() != "0 1 2 \ntyped\ngood\n" || errs.String() != "bad\n" {
		t.Errorf("exit %+v, output %q, errors %q", exit, out.String(), errs.String())
	}
}

// A terminal is the node's own: it controls the process, has its size and the changes of it, makes signals of keys, and is at its end when
// the process is.
func TestNodeTerminal(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, ordinary()...)
		var out, errs bytes.Buffer
		shown := ""
		n := r.freshWork()
		n.Output, n.Errors = &out, &errs
		n.Terminal = &Terminal{Rows: 11, Columns: 222, Attach: func(pty *os.File) {
			buf := make([]byte, 1024)
			read := func(until string) bool {
				for !strings.Contains(shown, until) {
					n, err := pty.Read(buf)
					shown += string(buf[:n])
					if err != nil {
						return false
					}
				}
				return true
			}
			if !read("window 11 222 true true\r\n") {
				return
			}
			raw, err := pty.SyscallConn()
			if err == nil {
				err = raw.Control(func(fd uintptr) {
					if err := unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: 5, Col: 6}); err != nil {
						t.Error(err)
					}
				})
			}
			if err != nil {
				t.Error(err)
			}
			if read("window 5 6\r\n") && read("slept\r\n") {
				if _, err := pty.WriteString("\x03"); err != nil {
					t.Error(err)
				}
			}
			read("what never comes")
		}}
		n.Spec.Process.Args = []string{"/bin/guest", "window", ";", "readlink", "/proc/self/fd/1", ";", "fds", ";", "eprint", "apart", ";", "readlink", "/proc/1/fd/3", ";",
			"print", "slept", ";", "sleep", "60s"}
		exit, err := h.Run(context.Background(), n)
		must(t, err)
		if exit.Signal != unix.SIGINT || exit.Code != 130 {
			t.Errorf("Ctrl-C: exit %+v", exit)
		}
		contains(t, shown, "/dev/pts/0\r\n", "0 1 2 \r\n")
		if out.Len() > 0 || !strings.HasPrefix(errs.String(), "apart\n") {
			t.Errorf("beside the terminal there is %q, and errors %q", out.String(), errs.String())
		}
	})
}

// A process that cannot be started has no terminal to be attached, and what ends is ended with one, too.
func TestNodeTerminalWithoutProcess(t *testing.T) {
	h := probed(t)
	r := newRoot(t, h, ordinary()...)
	n := r.freshWork()
	n.Terminal = &Terminal{Attach: func(*os.File) { t.Error("it was attached") }}
	n.Spec.Process.Args = []string{"/bin/nonesuch"}
	if _, err := h.Run(context.Background(), n); err == nil {
		t.Error("no error")
	}
	n = r.freshWork()
	ctx, cancel := context.WithCancel(context.Background())
	n.Terminal = &Terminal{Attach: func(pty *os.File) {
		cancel()
		_, _ = io.Copy(io.Discard, pty)
	}}
	n.Spec.Process.Args = []string{"/bin/guest", "sleep", "60s"}
	if _, err := h.Run(ctx, n); err == nil {
		t.Error("no error")
	}
}
