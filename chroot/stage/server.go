package stage

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
)

// serverName is the function that executes the others: a server is a process of its own for it. spawnName is what
// it does itself: start a process of its own for another function.
const (
	serverName = "stage.server"
	spawnName  = "stage.spawn"
)

// spawnArgs say what to start. Its files are the socket and the files of the new process.
type spawnArgs struct {
	Kinds uintptr    // CLONE_NEW* beside user and mount
	IDs   *host.Host `json:",omitempty"` // nil: the same as here
	Room  int        // of Command
}

// serve executes functions until its client ends or closes: each call comes as a message with its socket and its files.
func serve(ctx context.Context, s *Stage) error {
	inside := new(host.Host)
	if err := s.Args(inside); err != nil {
		return err
	}
	calls, err := pollable(s.File(0))
	if err != nil {
		return err
	}
	sealed := sealedProgram(func(err error) { s.Log.Warn("processes execute the program itself", "error", err) })
	ctx, cancel := context.WithCancel(ctx)
	var atWork sync.WaitGroup
	defer atWork.Wait()
	defer cancel()
	defer context.AfterFunc(ctx, func() { _ = calls.Close() })() // only ever read from
	for {
		files, err := receiveFiles(calls)
		switch {
		case ctx.Err() != nil:
			return closeAll(files)
		case errors.Is(err, errTruncated):
			continue // the client sees the end of its socket
		case err != nil || len(files) == 0:
			return err
		}
		atWork.Go(func() { serveCall(ctx, &nursery{inside, sealed}, files) })
	}
}

// A nursery is what processes of their own are made with.
type nursery struct {
	ids     *host.Host // as they are here
	program sealed
}

// serveCall executes one function.
func serveCall(ctx context.Context, made *nursery, files []*os.File) {
	s := &Stage{control: files[0], files: files[1:]}
	defer func() { _ = closeAll(files) }() // a function closes what it wrote to, to know that it could
	req, err := s.receive()
	if err != nil {
		return // the client hung up before it had asked
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go s.hangUp(cancel)
	var found registered
	if req.Stage == spawnName {
		err = s.spawn(ctx, made)
	} else if found, err = lookupShared(req.Stage); err == nil {
		err = found.fn(ctx, s)
	}
	_ = s.answer(err, found.errs) // fails when nobody waits for it any more
}

func lookupShared(name string) (registered, error) {
	found, ok := lookup(name)
	if !ok || found.alone {
		return registered{}, fmt.Errorf("no stage for a server is registered as %q", name)
	}
	return found, nil
}

// spawn starts a process of its own for a function, in namespaces below ours, and waits for its end.
func (s *Stage) spawn(ctx context.Context, made *nursery) error {
	var args spawnArgs
	if err := s.Args(&args); err != nil {
		return err
	}
	for _, f := range s.files {
		// A program that writes to its standard output does not reckon with EAGAIN.
		err := unix.SetNonblock(int(f.Fd()), false)
		if err != nil && !errors.Is(err, unix.EBADF) { // of a mount, which is not read
			return os.NewSyscallError("set blocking", err)
		}
	}
	ids := made.ids
	if args.IDs != nil {
		ids = args.IDs
	}
	c, err := spawn(ctx, ids, made.program(args.Room), args.Kinds, initialEnv(1), s.files)
	// At once: they are the new process's, and whoever has the other end waits for its end.
	if err = errors.Join(err, closeAll(s.files)); err != nil {
		if c != nil {
			c.kill()
		}
		return err
	}
	select {
	case <-c.ended:
	case <-ctx.Done():
		c.kill()
		<-c.ended
	}
	return s.Result(c.how)
}

// pollable is a file whose reading does not block a thread, and ends when it is closed.
func pollable(f *os.File) (*os.File, error) {
	fd, err := unix.FcntlInt(f.Fd(), syscall.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	if err := unix.SetNonblock(fd, true); err != nil {
		return nil, errors.Join(os.NewSyscallError("set non-blocking", err), unix.Close(fd))
	}
	return os.NewFile(uintptr(fd), f.Name()), f.Close()
}
