package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// A server is the client's side of a process that executes functions.
type server struct {
	process *Process
	child   *child
	calls   *os.File           // where calls are sent to
	stop    context.CancelFunc // asks it to end, and kills it 1.5 s later
	gone    chan struct{}      // closed when it has ended and gets no more calls

	// Of the client, under its lock.
	busy    int  // calls
	retired bool // gets no more
}

// newServer starts a server. ctx is never cancelled.
func newServer(ctx context.Context, h *host.Host) (*server, error) {
	control, theirs, err := socketPair(unix.SOCK_STREAM, true)
	if err != nil {
		return nil, err
	}
	calls, theirCalls, err := socketPair(unix.SOCK_SEQPACKET, true)
	if err != nil {
		return nil, errors.Join(err, control.Close(), theirs.Close())
	}
	c, err := spawn(ctx, h, unsealed, 0, initialEnv(runtime.GOMAXPROCS(0)), []*os.File{theirs, theirCalls})
	if err = errors.Join(err, theirs.Close(), theirCalls.Close()); err != nil {
		if c != nil {
			c.kill()
			<-c.ended
		}
		return nil, errors.Join(err, control.Close(), calls.Close())
	}
	if os.Geteuid() == 0 {
		liftLimits(c.process.Pid)
	}
	s := &server{child: c, calls: calls, gone: make(chan struct{})}
	ctx, s.stop = context.WithCancel(ctx)
	s.process = &Process{
		command: Command{Stage: serverName}, control: control, runner: own{c}, drain: time.Second,
		done: make(chan struct{}), ctx: ctx,
	}
	req := request{Files: 1, Env: os.Environ(), SetIDs: h.HelpedMaps(), Groups: h.Setgroups, MemoryLimit: debug.SetMemoryLimit(-1)}
	if s.process.args, err = json.Marshal(h.Inside()); err == nil {
		err = s.process.begin(req)
	}
	if err != nil {
		s.stop()
		return nil, errors.Join(err, calls.Close())
	}
	return s, nil
}

// waitGone waits for the end of a server that has closed its sockets.
func (s *server) waitGone() {
	late := time.NewTimer(time.Second)
	defer late.Stop()
	select {
	case <-s.gone:
	case <-late.C:
	}
}

func (s *server) hasEnded() bool {
	select {
	case <-s.child.ended:
		return true
	default:
		return false
	}
}

func (s *server) died() error {
	if s.hasEnded() {
		<-s.process.done // soon: the other end of its socket is closed
		if a := s.process.answer; a != nil && a.Error != nil && s.process.readErr == nil {
			return unpackError(a.Error, nil) // it never got to work
		}
		return s.process.runner.died()
	}
	return fmt.Errorf("%w: it hung up", errDied)
}

// own runs a function in a process that this one has started.
type own struct{ *child }

func (o own) ended() <-chan struct{} { return o.child.ended }
func (o own) settle(bool)            { <-o.child.ended }
func (o own) died() error            { return diedOf(o.how) }

// shared runs a function in a server.
type shared struct {
	client *Client
	server *server
	over   chan struct{}
	once   sync.Once
}

func (r *shared) kill() {
	r.client.retire(r.server)
	r.once.Do(func() { close(r.over) })
}

func (r *shared) ended() <-chan struct{} { return r.over }

func (r *shared) settle(answered bool) {
	if !answered {
		select {
		case <-r.over:
		default:
			r.server.waitGone()
		}
	}
	r.client.release(r.server)
}

func (r *shared) died() error { return r.server.died() }

// spawned runs a function in a process that a server has started.
type spawned struct {
	cancel context.CancelFunc
	over   chan struct{}
	how    string // to be read after over, as is err
	err    error
}

// wait waits for the call that has started the process, and returns when it has ended.
func (r *spawned) wait(call *Process) {
	defer r.cancel()
	r.err = call.Wait(&r.how)
	close(r.over)
}

func (r *spawned) kill()                  { r.cancel() }
func (r *spawned) ended() <-chan struct{} { return r.over }
func (r *spawned) settle(bool)            { <-r.over }

func (r *spawned) died() error {
	if r.err != nil {
		return r.err
	}
	return diedOf(r.how)
}
