package stage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"
	"syscall"

	"xtoo/chroot/host"
)

// errDied says that the process which was to execute a function ended without an answer: it was killed, or it crashed.
var errDied = errors.New("stage died")

// noThread is what the Go runtime says, before its stacks, where it cannot have one more thread.
const noThread = "failed to create new OS thread"

// diedOf is errDied of a process that ended in some way. Where the limit of processes was the cause, the error is that of a process that
// could not be started.
func diedOf(how string) error {
	if strings.Contains(how, noThread) {
		return host.ExplainStart(fmt.Errorf("%w: start a thread: %w", errDied, syscall.EAGAIN), 0)
	}
	return &deathError{how}
}

// A deathError is errDied with how a process ended, and its last words.
type deathError struct{ how string }

// Error leaves out the stacks, which tell users nothing; they are in the log for developers.
func (e *deathError) Error() string {
	var plain []string
	for line := range strings.Lines(e.how) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "PC=") || strings.HasPrefix(line, "goroutine ") || strings.HasPrefix(line, "runtime stack:") {
			break
		}
		plain = append(plain, line)
	}
	return errDied.Error() + ": " + strings.Join(plain, "; ")
}

func (e *deathError) Unwrap() error { return errDied }

// errClosed says that the client was closed.
var errClosed = errors.New("no stages are started any more")

// sentinels are the errors known on both sides of the border, by the name under which they cross it.
func sentinels() map[string]error {
	return map[string]error{
		"no namespaces": host.ErrNoNamespaces, "stage died": errDied,
		"exist": fs.ErrExist, "not exist": fs.ErrNotExist, "permission": fs.ErrPermission, "invalid": fs.ErrInvalid,
		"closed": fs.ErrClosed, "unexpected eof": io.ErrUnexpectedEOF, "short write": io.ErrShortWrite,
		"canceled": context.Canceled, "deadline": context.DeadlineExceeded, "timeout": os.ErrDeadlineExceeded,
	}
}

// wireError is an error on its way from a function to its client.
type wireError struct {
	Text      string
	Hint      string   `json:",omitempty"`
	Errnos    []int    `json:",omitempty"`
	Sentinels []string `json:",omitempty"` // keys of sentinels()
	Own       []int    `json:",omitempty"` // indexes into the sentinels given to Register
}

// packError flattens err. A nil error gives nil.
func packError(err error, own []error) *wireError {
	if err == nil {
		return nil
	}
	w := &wireError{Text: err.Error(), Hint: host.Hint(err)}
	walkErrors(err, func(e error) {
		if errno, ok := e.(syscall.Errno); ok { //nolint:errorlint // every error of the chain comes by
			w.Errnos = append(w.Errnos, int(errno))
		}
	})
	for name, s := range sentinels() {
		if errors.Is(err, s) {
			w.Sentinels = append(w.Sentinels, name)
		}
	}
	for i, s := range own {
		if errors.Is(err, s) {
			w.Own = append(w.Own, i)
		}
	}
	return w
}

// unpackError is the reverse of packError.
func unpackError(w *wireError, own []error) error {
	if w == nil {
		return nil
	}
	e := &stageError{text: w.Text}
	for _, n := range w.Errnos {
		e.is = append(e.is, syscall.Errno(n))
	}
	known := sentinels()
	for _, name := range w.Sentinels {
		if s, ok := known[name]; ok {
			e.is = append(e.is, s)
		}
	}
	for _, i := range w.Own {
		if i >= 0 && i < len(own) {
			e.is = append(e.is, own[i])
		}
	}
	if w.Hint != "" {
		return &host.Error{Err: e, Hint: w.Hint}
	}
	return e
}

// stageError is an error of a stage as its client sees it.
type stageError struct {
	text string
	is   []error
}

func (e *stageError) Error() string   { return e.text }
func (e *stageError) Unwrap() []error { return e.is }

// walkErrors calls visit for err and everything that it wraps.
func walkErrors(err error, visit func(error)) {
	if err == nil {
		return
	}
	visit(err)
	switch u := err.(type) { //nolint:errorlint // the chain is what is walked
	case interface{ Unwrap() error }:
		walkErrors(u.Unwrap(), visit)
	case interface{ Unwrap() []error }:
		for _, e := range u.Unwrap() {
			walkErrors(e, visit)
		}
	}
}
