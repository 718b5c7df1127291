package chroot

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// cancelGrace is how long a stage may clean up after its context was cancelled, before it is killed.
const cancelGrace = 1500 * time.Millisecond

// A Command says which stage to start and with what.
type Command struct {
	Stage string     // the name given to Register
	Args  any        // encoded as JSON; Stage.Args decodes it
	Files []*os.File // given to the stage; the caller may close its own ones as soon as Start has returned
	Dir   string     // working directory of the stage; "" means that of this process
	Log   *slog.Logger

	// Procs is GOMAXPROCS of the stage; 0 means 2.
	Procs int

	namespaces uintptr // CLONE_NEW* beside user and mount
	noEnv      bool    // give no environment: the stage will execute what others wrote
}

// A Process is a running stage. Wait must be called once, by one goroutine; without it the process ends all
// the same, and so do the goroutines that watch it.
type Process struct {
	command Command
	errs    []error
	control *os.File
	stderr  *os.File
	said    string // what it wrote to stderr: the words of a crash
	child   *os.Process
	state   *os.ProcessState
	waitErr error
	answer  *answer
	readErr error
	exited  chan struct{}
	done    chan struct{}
	ctx     context.Context
	mu      sync.Mutex
	ended   bool // the control socket was shut down
}

// Start starts a stage in new user and mount namespaces. When ctx ends, the stage's own context is cancelled; 1.5 s
// later it is killed. It is killed, too, when this process ends by any means. An error that the host causes is a
// [HostError] and wraps [ErrNoNamespaces].
func (h *Host) Start(ctx context.Context, c Command) (*Process, error) {
	found, ok := lookupStage(c.Stage)
	if !ok {
		return nil, fmt.Errorf("start stage %q: not registered", c.Stage)
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	p := &Process{command: c, errs: found.errs, exited: make(chan struct{}), done: make(chan struct{}), ctx: ctx}
	if err := p.start(h); err != nil {
		return nil, fmt.Errorf("start stage %q: %w", c.Stage, err)
	}
	return p, nil
}

func (p *Process) start(h *Host) error {
	args, err := json.Marshal(p.command.Args)
	if err != nil {
		return fmt.Errorf("arguments: %w", err)
	}
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("make a socket pair: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "control of the stage")
	if err := unix.SetNonblock(pair[0], true); err != nil { // so that its reader can be given a deadline
		return errors.Join(err, unix.Close(pair[0]), theirs.Close())
	}
	p.control = os.NewFile(uintptr(pair[0]), "control of the parent")
	// What the Go runtime says when it crashes, and nothing else, goes there; an anonymous file needs no reader.
	memory, err := unix.MemfdCreate("xtoo-stage-stderr", unix.MFD_CLOEXEC)
	if err != nil {
		return errors.Join(fmt.Errorf("make an anonymous file: %w", err), p.control.Close(), theirs.Close())
	}
	p.stderr = os.NewFile(uintptr(memory), "stderr of the stage")
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return errors.Join(err, p.control.Close(), p.stderr.Close(), theirs.Close())
	}
	err = p.spawn(h, append([]*os.File{null, p.stderr, p.stderr, theirs}, p.command.Files...))
	// At once: as long as we have it open ourselves, we do not see when the stage closes it.
	if closeErr := errors.Join(null.Close(), theirs.Close()); err != nil || closeErr != nil {
		if err == nil {
			_ = p.child.Kill() // fails only when it has ended
		}
		return errors.Join(err, closeErr, p.control.Close(), p.stderr.Close())
	}
	go p.read()
	go p.watch()
	if err := p.introduce(h, args); err != nil {
		if killErr := p.child.Kill(); killErr != nil && !errors.Is(killErr, os.ErrProcessDone) {
			err = errors.Join(err, killErr)
		}
		<-p.done
		if cause := context.Cause(p.ctx); cause != nil {
			return errors.Join(cause, p.close()) // cut off in the middle
		}
		if died := p.died(); len(died) > 0 && errors.Is(err, unix.EPIPE) {
			err = fmt.Errorf("%w: %s", err, died)
		}
		return errors.Join(err, p.close())
	}
	return nil
}

// introduce writes the maps, where that needs help, and tells the stage what it is to do.
func (p *Process) introduce(h *Host, args []byte) error {
	if h.newuidmap != "" {
		if err := h.writeMaps(p.ctx, p.child.Pid); err != nil {
			return err
		}
	}
	req := request{
		Stage: p.command.Stage, Args: args, Files: len(p.command.Files), Dir: p.command.Dir,
		SetIDs: h.newuidmap != "", Groups: h.setgroups,
	}
	if !p.command.noEnv {
		req.Env = os.Environ()
	}
	if p.command.Log != nil {
		for _, level := range []slog.Level{slog.LevelDebug, slog.LevelInfo, slog.LevelWarn, slog.LevelError} {
			if p.command.Log.Enabled(p.ctx, level) {
				n := int(level)
				req.LogLevel = &n
				break
			}
		}
	}
	data, err := json.Marshal(req)
	if err != nil {
		return err
	}
	return writeFrame(p.control, frameRequest, data)
}

// read receives what the stage says until it ends.
func (p *Process) read() {
	defer close(p.done)
	for {
		kind, payload, err := readFrame(p.control)
		if err != nil {
			if !errors.Is(err, io.EOF) && !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, unix.ECONNRESET) {
				p.readErr = err
				_ = p.child.Kill() // it talks nonsense; fails only when it has ended
			}
			break
		}
		switch kind {
		case frameLog:
			relay(p.ctx, p.command.Log, payload)
		case frameAnswer:
			p.answer = new(answer)
			p.readErr = json.Unmarshal(payload, p.answer)
		}
	}
	<-p.exited
}

// watch cancels the stage with its context, and sees to it that the reader ends when the process has.
func (p *Process) watch() {
	select {
	case <-p.exited:
	case <-p.ctx.Done():
		p.cancel()
		late := time.NewTimer(cancelGrace)
		defer late.Stop()
		select {
		case <-p.exited:
		case <-late.C:
			_ = p.child.Kill() // fails only when it has ended
			<-p.exited
		}
	}
	// What it sent is in the socket; nobody else should hold the other end, and if so it is not worth waiting for.
	_ = p.control.SetReadDeadline(time.Now().Add(time.Second)) // fails only when the reader has ended and Wait closed it
}

// cancel asks the stage to end.
func (p *Process) cancel() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return
	}
	p.ended = true
	raw, err := p.control.SyscallConn()
	if err != nil {
		return // closed: the stage has ended
	}
	_ = raw.Control(func(fd uintptr) {
		_ = unix.Shutdown(int(fd), unix.SHUT_WR) // fails only when the stage has ended
	})
}

// Pid is the process id of the stage.
func (p *Process) Pid() int { return p.child.Pid }

// Wait waits for the end of the stage and decodes its result into result, unless that is nil or the stage gave none;
// the result is decoded beside an error, too. The error is the stage's own, or that of the context when it ended, or
// wraps [ErrStageDied].
func (p *Process) Wait(result any) error {
	<-p.done
	closeErr := p.close()
	if p.answer == nil || p.readErr != nil {
		if err := context.Cause(p.ctx); err != nil {
			return fmt.Errorf("stage %q: %w", p.command.Stage, err)
		}
		if p.readErr != nil {
			return fmt.Errorf("stage %q: answer: %w", p.command.Stage, p.readErr)
		}
		return fmt.Errorf("stage %q: %w: %s", p.command.Stage, ErrStageDied, p.died())
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

func (p *Process) close() error { return errors.Join(p.control.Close(), p.stderr.Close()) }

// died words how a stage ended that gave no answer.
func (p *Process) died() string {
	how := "it ended in an unknown way"
	switch {
	case p.waitErr != nil:
		how = p.waitErr.Error()
	case p.state != nil:
		how = p.state.String()
	}
	if said := strings.TrimSpace(p.said); said != "" {
		how += ": " + said
	}
	return how
}
