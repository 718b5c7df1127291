package chroot

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// supervise is what init does while the process of a node runs: it reaps, forwards signals, and when the process has
// ended it kills everything that is left. It returns when init is alone in its namespace. grace is asked for when the context ends.
func supervise(ctx context.Context, payload int, grace func() time.Duration) Exit {
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGTERM, unix.SIGINT, unix.SIGHUP, unix.SIGQUIT, unix.SIGUSR1, unix.SIGUSR2)
	defer signal.Stop(signals)
	ended := make(chan Exit, 1)
	go func() { ended <- reap(payload) }()

	cancelled := ctx.Done()
	var late <-chan time.Time
	for {
		select {
		case exit := <-ended:
			return exit
		case s := <-signals:
			if number, ok := s.(syscall.Signal); ok {
				signalAll(-payload, number) // to its group: a shell waits for what it has started
			}
		case <-cancelled:
			cancelled = nil
			signalAll(-1, unix.SIGTERM)
			signalAll(-1, unix.SIGCONT) // one that is stopped could not end
			timer := time.NewTimer(grace())
			defer timer.Stop()
			late = timer.C
		case <-late:
			signalAll(-1, unix.SIGKILL)
		}
	}
}

// reap waits for every process of the namespace.
func reap(payload int) Exit {
	var exit Exit
	ended := false
	for {
		var status unix.WaitStatus
		pid, err := unix.Wait4(-1, &status, unix.WALL, nil)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil: // ECHILD: init is alone
			return exit
		case pid == payload:
			ended = true
			exit.Code = status.ExitStatus()
			if status.Signaled() {
				exit.Signal = status.Signal()
				exit.Code = 128 + int(status.Signal())
			}
		}
		if ended {
			signalAll(-1, unix.SIGKILL) // again after each: children of the dead have become ours
		}
	}
}

// signalAll sends a signal to a group, or with -1 to everything but init.
func signalAll(pid int, s syscall.Signal) {
	_ = unix.Kill(pid, s) // ESRCH: there is nobody; nothing else can be wrong for process 1
}
