package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"xtoo/chroot/host"
	"xtoo/internal/engine"
	"xtoo/internal/engine/outputs"
	"xtoo/layers/store"
	"xtoo/projects"
	"xtoo/projects/schema"
)

// The exit codes. They are documented in `xtoo help` and tested.
const (
	exitOK          = 0
	exitFailed      = 1   // anything not named below
	exitUsage       = 2   // wrong arguments, or a configuration that is wrong
	exitScript      = 3   // a script or a check failed
	exitHost        = 4   // this machine does not let this user build
	exitDiffers     = 5   // with --check: a node gave two layers
	exitInterrupted = 130 // Ctrl-C, SIGTERM or SIGHUP
)

const exitCodesHelp = `Exit codes:
  0    done
  1    something failed
  2    wrong arguments, a wrong configuration, or a store that is somebody else's
  3    a script or a check failed
  4    this machine does not let this user build (see xtoo doctor)
  5    all is built, but with --check a node gave another layer when it was executed again
  130  interrupted`

// A usageError is a mistake on the command line.
type usageError struct{ error }

func (e usageError) Unwrap() error { return e.error }

func usagef(format string, args ...any) error {
	return usageError{fmt.Errorf(format, args...)}
}

// report prints an error, if there is one, and returns the exit code for it.
func report(ctx context.Context, w io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	var command exitStatus
	if errors.As(err, &command) {
		return int(command)
	}
	if ctx.Err() != nil {
		say(w, "error", "interrupted")
		return exitInterrupted
	}
	for _, one := range flatten(err) {
		say(w, "error", one.Error())
		if h := hintOf(one); h != "" {
			say(w, "hint", h)
		}
	}
	return exitCode(err)
}

func exitCode(err error) int {
	var (
		usage  usageError
		script *engine.ScriptError
		config *schema.Errors
		hosts  *host.Error
		lack   *projects.MissingError
		asked  *outputs.UsageError
		owner  *store.OwnerError
		differ *engine.DifferError
	)
	switch {
	case errors.As(err, &script):
		return exitScript
	case errors.As(err, &hosts):
		return exitHost
	case errors.As(err, &usage), errors.As(err, &config), errors.As(err, &lack), errors.As(err, &asked), errors.As(err, &owner):
		return exitUsage
	case errors.As(err, &differ) && len(flatten(err)) == 1:
		return exitDiffers
	}
	return exitFailed
}

// say prints one message. Control characters and sequences that came in with a name do not reach the terminal.
func say(w io.Writer, kind, text string) {
	text = filter(strings.TrimRight(text, "\n"), onlyLineEnds)
	fmt.Fprintf(w, "xtoo: %s: %s\n", kind, text) // nowhere left to say it
}

// onlyLineEnds is what [filter] puts in the place of control characters in texts of several lines.
func onlyLineEnds(r rune) string {
	if r == '\n' {
		return "\n"
	}
	return "�"
}

// flatten lists the errors that stand side by side in err: each gets a line of its own.
func flatten(err error) []error {
	if list, ok := err.(interface{ Unwrap() []error }); ok { // only the outermost is a list
		var all []error
		for _, e := range list.Unwrap() {
			all = append(all, flatten(e)...)
		}
		if len(all) > 0 {
			return all
		}
	}
	return []error{err}
}

// hintOf finds what to do about an error: any error on its chain may have a Hint method.
func hintOf(err error) string {
	var p schema.Problem
	if errors.As(err, &p) {
		return p.Hint
	}
	var h interface{ Hint() string }
	if errors.As(err, &h) && h.Hint() != "" {
		return h.Hint()
	}
	return host.Hint(err)
}
