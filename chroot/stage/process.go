package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// cancelGrace is how long a function may clean up after its context was cancelled, before it is killed or given up.
const cancelGrace = 1500 * time.Millisecond

// A Command says which function to start and with what.
type Command struct {
	Stage string     // the name given to Register
	Args  any        // encoded as JSON; Stage.Args decodes it. Paths in it must be absolute
	Files []*os.File // given to the function; the caller may close its own ones as soon as Start has returned
	Log   *slog.Logger

	// Namespaces are CLONE_NEW* that the function gets of its own, beside user and mount namespaces; with any, it gets a
	// process of its own, too, as if registered by RegisterAlone.
	Namespaces uintptr
	// IDs, if not nil, are those of a process of its own, where they are not the server's: it is user and group 0 of them.
	IDs *host.Host
	// NoEnv gives a process of its own no environment: it will execute what others wrote.
	NoEnv bool
	// Room is for how many open files a process of its own is to have room from the beginning. It may open more, which takes as
	// long as all the rest of a start each time that it has twice as many as before, from 64 on.
	Room int
}

// A Process is a function at work. Wait must be called once, by one goroutine; without it the function ends all
// the same, and so do the goroutines that watch it.
type Process struct {
	command Command
	args    json.RawMessage
	errs    []error
	control *os.File
	runner  runner
	answer  *answer
	readErr error
	drain   time.Duration // how long to read on when the runner has ended
	done    chan struct{} // closed when the function has ended, or was given up
	ctx     context.Context
	mu      sync.Mutex
	ended   bool // the control socket was shut down
}

// A runner is what executes a function: a process of its own, or the server.
type runner interface {
	// kill makes sure that ended will be closed soon.
	kill()
	// ended is closed when the process has ended, or the function was given up.
	ended() <-chan struct{}
	// settle waits, at the end of the socket, until it can be said what became of the function. answered says that
	// there was an answer.
	settle(answered bool)
	// died is the error for a function that gave no answer.
	died() error
}

// begin sends the request and watches over the function. After an error it is gone, and the socket closed.
func (p *Process) begin(req request) error {
	req.Stage, req.LogLevel = p.command.Stage, p.logLevel()
	data, err := json.Marshal(req)
	go p.read()
	go p.watch()
	if err == nil {
		err = writeFrame(p.control, frameRequest, append(append(data, '\n'), p.args...))
	}
	if err == nil {
		return nil
	}
	p.cancel()
	late := time.AfterFunc(cancelGrace, p.runner.kill)
	<-p.done
	late.Stop()
	switch {
	case context.Cause(p.ctx) != nil:
		err = context.Cause(p.ctx) // cut off in the middle
	case errors.Is(err, unix.EPIPE):
		err = p.runner.died()
	}
	return errors.Join(err, p.control.Close())
}

// logLevel is the lowest level that somebody wants to see.
func (p *Process) logLevel() *int {
	if p.command.Log == nil {
		return nil
	}
	for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
		if p.command.Log.Enabled(p.ctx, level) {
			n := int(level)
			return &n
		}
	}
	return nil
}

// read receives what the function says until it ends.
func (p *Process) read() {
	defer close(p.done)
	for {
		kind, payload, err := readFrame(p.control)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, unix.ECONNRESET) {
				p.readErr = err
				p.runner.kill() // it talks nonsense
			}
			break
		}
		if kind == frameLog {
			relay(p.ctx, p.command.Log, payload)
		}
		if kind == frameAnswer {
			p.answer = new(answer)
			p.readErr = json.Unmarshal(payload, p.answer)
			break
		}
	}
	p.runner.settle(p.answer != nil)
}

// watch cancels the function with its context, and sees to it that the reader ends when the process has.
func (p *Process) watch() {
	select {
	case <-p.done:
		return
	case <-p.runner.ended():
	case <-p.ctx.Done():
		p.cancel()
		late := time.NewTimer(cancelGrace)
		defer late.Stop()
		select {
		case <-p.done:
			return
		case <-p.runner.ended():
		case <-late.C:
			p.runner.kill()
			<-p.runner.ended()
		}
	}
	// What it sent is in the socket; nobody else should hold the other end, and if so it is not worth waiting for.
	_ = p.control.SetReadDeadline(time.Now().Add(p.drain)) // fails only when the reader has ended and Wait closed it
}

// cancel asks the function to end.
func (p *Process) cancel() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	raw, err := p.control.SyscallConn()
	if err != nil {
		return // closed: the function has ended
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.Shutdown(int(fd), unix.SHUT_WR) // fails only when the function has ended
	})
}

// Wait waits for the end of the function and decodes its result into result, unless that is nil or the function gave none;
// the result is decoded beside an error, too. The error is the function's own, or that of the context when it ended, or
// says that its process died, or why a process of its own could not be started: a [host.Error] that wraps [host.ErrNoNamespaces].
func (p *Process) Wait(result any) error {
	<-p.done
	closeErr := p.control.Close()
	if p.answer == nil || p.readErr != nil {
		if err := context.Cause(p.ctx); err != nil {
			return fmt.Errorf("stage %q: %w", p.command.Stage, err)
		}
		if p.readErr != nil {
			return fmt.Errorf("stage %q: answer: %w", p.command.Stage, p.readErr)
		}
		err := p.runner.died()
		var death *deathError
		if errors.As(err, &death) && p.command.Log != nil {
			p.command.Log.Debug("a stage died", "stage", p.command.Stage, "how", death.how)
		}
		return fmt.Errorf("stage %q: %w", p.command.Stage, err)
	}
	if result != nil && len(p.answer.Result) > 0 {
		if err := json.Unmarshal(p.answer.Result, result); err != nil {
			return fmt.Errorf("stage %q: result: %w", p.command.Stage, err)
		}
	}
	if err := unpackError(p.answer.Error, p.errs); err != nil {
		if cause := context.Cause(p.ctx); cause != nil && errors.Is(err, context.Canceled) {
			return fmt.Errorf("%w: %w", err, cause)
		}
		return err
	}
	return closeErr
}
