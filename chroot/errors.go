package chroot

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

// Errors that callers tell apart with errors.Is. All of them cross the border between a stage and its parent.
var (
	// ErrNoNamespaces: this host does not let this user make the namespaces that a stage needs. The error is a
	// [HostError] whose hint names the setting.
	ErrNoNamespaces = errors.New("user namespaces cannot be used")

	// ErrNoOverlay: the overlay cannot be mounted in a user namespace here (a kernel before 5.11, an upper
	// directory on a file system without user xattrs or on a network). The upper directory is as it was; the
	// caller may execute the node on a full copy of the root instead, by giving no Lowers.
	ErrNoOverlay = errors.New("overlayfs cannot be used")

	// ErrTooManyLayers: more Lowers than the kernel stacks (500).
	ErrTooManyLayers = errors.New("too many layers")

	// ErrNotExecutable: the process of a node could not be started: the program or its interpreter is missing
	// from the root, or is for another machine.
	ErrNotExecutable = errors.New("cannot be executed")

	// ErrUnsupported: the runtime specification of a node asks for something that this executor does not do.
	ErrUnsupported = errors.New("not supported by this executor")

	// ErrStageDied: a stage ended without an answer: it was killed, or it crashed.
	ErrStageDied = errors.New("stage died")
)

// A HostError is an error that a setting of the host causes, with what would mend it.
type HostError struct {
	Err  error
	Hint string // what to do, naming the exact setting, package or line of a file; may have several lines
}

func (e *HostError) Error() string { return e.Err.Error() }

// Unwrap returns the error without its hint.
func (e *HostError) Unwrap() error { return e.Err }

// Hint returns the hint of the first [HostError] in err's tree, or "" when there is none.
func Hint(err error) string {
	var h *HostError
	if errors.As(err, &h) {
		return h.Hint
	}
	return ""
}

// sentinels are the errors known on both sides of the border, by the name under which they cross it.
func sentinels() map[string]error {
	return map[string]error{
		"no namespaces": ErrNoNamespaces, "no emulation": ErrNoEmulation, "no overlay": ErrNoOverlay, "too many layers": ErrTooManyLayers,
		"not executable": ErrNotExecutable, "unsupported": ErrUnsupported, "stage died": ErrStageDied,
		"exist": fs.ErrExist, "not exist": fs.ErrNotExist, "permission": fs.ErrPermission, "invalid": fs.ErrInvalid,
		"closed": fs.ErrClosed, "unexpected eof": io.ErrUnexpectedEOF, "short write": io.ErrShortWrite,
		"canceled": context.Canceled, "deadline": context.DeadlineExceeded, "timeout": os.ErrDeadlineExceeded,
	}
}

// wireError is an error on its way from a stage to its parent.
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
	w := &wireError{Text: err.Error(), Hint: Hint(err)}
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
		return &HostError{Err: e, Hint: w.Hint}
	}
	return e
}

// stageError is an error of a stage as its parent sees it.
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

// unsupported is the error for a part of a runtime specification.
func unsupported(what string) error {
	return fmt.Errorf("runtime spec: %s: %w", what, ErrUnsupported)
}
