package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
	"golang.org/x/term"

	"xtoo/chroot"
	"xtoo/internal/engine"
	"xtoo/internal/engine/local"
)

// What is executed in an image gets none of this process's standard files: it could open them anew, with other rights, or push back
// what is typed. It gets pipes, or a terminal of its own, and this process copies.

// onTerminal says whether there is somebody to talk with.
func onTerminal() bool {
	return term.IsTerminal(int(os.Stdin.Fd())) && term.IsTerminal(int(os.Stdout.Fd()))
}

// pipedInput is a pipe that standard input is copied to. The caller closes it when nobody reads any more. What was read by then
// and not asked for is lost.
func pipedInput() (*os.File, error) {
	r, w, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("make a pipe: %w", err)
	}
	if err := r.Chmod(0o666); err != nil { // for /dev/stdin
		return nil, errors.Join(err, r.Close(), w.Close())
	}
	go func() {
		_, _ = io.Copy(w, os.Stdin) // nobody reads any more, or there is no more to be read: the end in both cases
		_ = w.Close()
	}()
	return r, nil
}

// onOwnTerminal executes a session on a terminal of its own, which this process's terminal shows: it hands on every key as it is. Errors
// go there, too, unless they are redirected.
func onOwnTerminal(ctx context.Context, runner *local.Runner, j engine.Job, s local.Session) (engine.Outcome, error) {
	if term.IsTerminal(int(os.Stderr.Fd())) {
		s.Errors = nil
	}
	j.Env = slices.DeleteFunc(slices.Clone(j.Env), func(e string) bool { return strings.HasPrefix(e, "TERM=") })
	j.Env = append(j.Env, "TERM="+cmp.Or(os.Getenv("TERM"), "dumb"))
	var keys keyboard
	stop := context.AfterFunc(ctx, func() { _ = keys.restore() }) // at once: a second signal ends this process
	defer stop()
	s.Terminal = &chroot.Terminal{Attach: func(pty *os.File) {
		_ = keys.raw() // else it works line by line
		show(pty)
	}}
	if w, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ); err == nil {
		s.Terminal.Rows, s.Terminal.Columns = w.Row, w.Col
	}
	out, err := runner.Session(ctx, j, s)
	return out, errors.Join(err, keys.restore())
}

// A keyboard is the terminal of standard input, whose settings are changed and given back.
type keyboard struct {
	mu    sync.Mutex
	state *term.State // before; nil: not changed
	over  bool        // given back, and not to be changed any more
}

// raw has every key come as it is.
func (k *keyboard) raw() (err error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if !k.over {
		k.state, err = term.MakeRaw(int(os.Stdin.Fd()))
	}
	return err
}

// restore gives the terminal its settings back.
func (k *keyboard) restore() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.over = true
	if k.state == nil {
		return nil
	}
	state := k.state
	k.state = nil
	return term.Restore(int(os.Stdin.Fd()), state)
}

// show copies between this terminal and another, whose size follows this one's, until nothing has the other open.
func show(pty *os.File) {
	sizes := make(chan os.Signal, 1)
	signal.Notify(sizes, syscall.SIGWINCH)
	defer signal.Stop(sizes)
	ended := make(chan struct{})
	defer close(ended)
	sizes <- syscall.SIGWINCH // it may have changed meanwhile
	go func() {
		for {
			select {
			case <-sizes:
				resize(pty)
			case <-ended:
				return
			}
		}
	}()
	go func() { _, _ = io.Copy(pty, os.Stdin) }() // ends with this process
	_, _ = io.Copy(os.Stdout, pty)                // the end is an error: EIO
}

// resize gives a terminal the size of this one. Where that is not known it stays as it is.
func resize(pty *os.File) {
	w, err := unix.IoctlGetWinsize(int(os.Stdout.Fd()), unix.TIOCGWINSZ)
	if err != nil {
		return
	}
	raw, err := pty.SyscallConn()
	if err != nil {
		return
	}
	_ = raw.Control(func(fd uintptr) { _ = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, w) })
}
