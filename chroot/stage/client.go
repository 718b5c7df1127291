package stage

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// A Client starts functions in the namespaces of a host. It may be used by any number of goroutines. It starts a server with
// the first call, and another when that one has died or was given up.
type Client struct {
	host *host.Host

	mu       sync.Mutex
	current  *server // gets new calls; nil: the next call starts one
	starting *attempt
	all      map[*server]bool
	closed   bool
}

// An attempt is the start of a server, for which several calls may wait.
type attempt struct {
	done chan struct{}
	err  error // to be read after done
}

// NewClient makes a client. It starts nothing.
func NewClient(h *host.Host) *Client { return &Client{host: h, all: map[*server]bool{}} }

// Start starts a function. When ctx ends, the function's own context is cancelled; 1.5 s later it is killed, or,
// where it is in the server, given up. Its process is killed, too, when this process ends by any means. An error that
// the host causes is a [host.Error] and wraps [host.ErrNoNamespaces].
func (c *Client) Start(ctx context.Context, command Command) (*Process, error) {
	p, err := c.start(ctx, command)
	if err != nil {
		return nil, fmt.Errorf("start stage %q: %w", command.Stage, err)
	}
	return p, nil
}

func (c *Client) start(ctx context.Context, command Command) (*Process, error) {
	found, ok := lookup(command.Stage)
	if !ok {
		return nil, errors.New("not registered")
	}
	args, err := json.Marshal(command.Args)
	if err != nil {
		return nil, fmt.Errorf("arguments: %w", err)
	}
	if len(args) > maxFrame-1<<20 {
		return nil, fmt.Errorf("arguments of %d bytes: more than fit into a message", len(args))
	}
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for again := false; ; again = true {
		s, err := c.acquire(ctx)
		if err != nil {
			return nil, err
		}
		p := &Process{command: command, args: args, errs: found.errs, done: make(chan struct{}), ctx: ctx}
		if found.alone || command.Namespaces != 0 {
			err = c.startAlone(p, s)
		} else {
			err = c.call(p, s)
		}
		if err == nil {
			return p, nil
		}
		if again || !errors.Is(err, errUnsent) {
			return nil, err
		}
	}
}

// errUnsent: a server had died before it got to know of a call.
var errUnsent = errors.New("the server takes no calls")

// call has a server execute a function. It gives the server back in any case.
func (c *Client) call(p *Process, s *server) error {
	ours, theirs, err := socketPair(unix.SOCK_STREAM, false)
	if err != nil {
		c.release(s)
		return err
	}
	err = sendFiles(s.calls, append([]*os.File{theirs}, p.command.Files...))
	// At once: as long as we have it open ourselves, we do not see when the server closes it.
	if err = errors.Join(err, theirs.Close()); err != nil {
		if errors.Is(err, unix.EPIPE) || errors.Is(err, unix.ECONNRESET) || s.hasEnded() {
			s.waitGone()
			err = fmt.Errorf("%w: %w", errUnsent, s.died())
		}
		c.release(s)
		return errors.Join(err, ours.Close())
	}
	p.control, p.runner = ours, &shared{client: c, server: s, over: make(chan struct{})}
	return p.begin(request{})
}

// startAlone has a server start a process of its own for a function. It gives the server back in any case.
func (c *Client) startAlone(p *Process, s *server) error {
	ours, theirs, err := socketPair(unix.SOCK_STREAM, true)
	if err != nil {
		c.release(s)
		return err
	}
	ctx, kill := context.WithCancel(context.WithoutCancel(p.ctx))
	args, err := json.Marshal(spawnArgs{Kinds: p.command.Namespaces, IDs: p.command.IDs, Room: p.command.Room})
	q := &Process{
		command: Command{Stage: spawnName, Files: append([]*os.File{theirs}, p.command.Files...)}, args: args,
		done: make(chan struct{}), ctx: ctx,
	}
	if err != nil {
		c.release(s)
	} else {
		err = c.call(q, s)
	}
	if err = errors.Join(err, theirs.Close()); err != nil {
		kill()
		return errors.Join(err, ours.Close())
	}
	one := &spawned{cancel: kill, over: make(chan struct{})}
	go one.wait(q)
	p.control, p.runner, p.drain = ours, one, time.Second
	req := request{Files: len(p.command.Files), SetIDs: p.command.IDs != nil}
	if !p.command.NoEnv {
		req.Env = os.Environ()
	}
	return p.begin(req)
}

// acquire returns a server that takes calls, and starts one if there is none. The caller gives it back with release.
func (c *Client) acquire(ctx context.Context) (*server, error) {
	for {
		c.mu.Lock()
		if c.closed {
			c.mu.Unlock()
			return nil, errClosed
		}
		if s := c.current; s != nil {
			s.busy++
			c.mu.Unlock()
			return s, nil
		}
		a := c.starting
		if a == nil {
			a = &attempt{done: make(chan struct{})}
			c.starting = a
			go c.startServer(context.WithoutCancel(ctx), a) // others may wait for it, too
		}
		c.mu.Unlock()
		select {
		case <-a.done:
			if a.err != nil {
				return nil, a.err
			}
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *Client) startServer(ctx context.Context, a *attempt) {
	s, err := newServer(ctx, c.host)
	c.mu.Lock()
	c.starting, a.err = nil, err
	if err == nil {
		c.current = s
		c.all[s] = true
		go func() {
			<-s.process.done
			c.forget(s)
		}()
	}
	c.mu.Unlock()
	close(a.done)
}

// release gives a server back. One that was given up is killed after its last call.
func (c *Client) release(s *server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.busy--
	if s.busy == 0 && s.retired {
		s.child.kill()
	}
}

// retire gives a server up: it gets no new calls.
func (c *Client) retire(s *server) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s.retired = true
	if c.current == s {
		c.current = nil
	}
}

// forget cleans up after a server that has ended.
func (c *Client) forget(s *server) {
	c.retire(s)
	c.mu.Lock()
	delete(c.all, s)
	c.mu.Unlock()
	s.stop()
	_ = s.calls.Close()           // only ever sent to
	_ = s.process.control.Close() // nobody reads it any more
	close(s.gone)
}

// Close ends the servers, and with them all that they started, and waits for that. What is still at work is cancelled,
// and killed 1.5 s later. After it Start fails. A client that is never closed leaves nothing
// behind either when this process ends.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	a := c.starting
	c.mu.Unlock()
	if a != nil {
		<-a.done
	}
	c.mu.Lock()
	all := make([]*server, 0, len(c.all))
	for s := range c.all {
		all = append(all, s)
	}
	c.mu.Unlock()
	for _, s := range all {
		s.stop()
	}
	for _, s := range all {
		<-s.gone
	}
}
