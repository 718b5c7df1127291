package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
	"mvdan.cc/sh/v3/interp"
	"mvdan.cc/sh/v3/syntax"
)

// shell is sh: `sh [-eufxa] [-o option] [-c text [name [argument…]] | script [argument…] | -s]`.
func shell(ctx context.Context, std stdio, args []string) error {
	set, text, isText, rest, err := shellFlags(args)
	if err != nil {
		return err
	}
	name := "sh"
	var script io.Reader
	switch {
	case isText:
		script = strings.NewReader(text)
		if len(rest) > 0 {
			name, rest = rest[0], rest[1:]
		}
	case len(rest) > 0:
		f, err := os.Open(rest[0])
		if err != nil {
			return exitError{127, err.Error()}
		}
		defer f.Close() // nothing was written
		script, name, rest = f, rest[0], rest[1:]
	}
	runner, err := interp.New(
		interp.StdIO(std.in, std.out, std.err),
		interp.Params(append(append(set, "--"), rest...)...),
		interp.CallHandler(ownBuiltins),
		interp.ExecHandlers(killInProcess),
	)
	if err != nil {
		return exitError{2, err.Error()}
	}
	if script == nil {
		return statements(ctx, runner, std)
	}
	file, err := syntax.NewParser().Parse(script, name)
	if err != nil {
		return exitError{2, err.Error()}
	}
	return runner.Run(ctx, file)
}

// shellFlags splits sh's arguments into what `set` understands, the text of -c, and the operands.
func shellFlags(args []string) (set []string, text string, isText bool, rest []string, err error) {
	for len(args) > 0 {
		a := args[0]
		if a == "--" || a == "-" {
			args = args[1:]
			break
		}
		if len(a) < 2 || (a[0] != '-' && a[0] != '+') {
			break
		}
		args = args[1:]
		for _, letter := range a[1:] {
			switch letter {
			case 'c':
				isText = true
			case 's', 'l', 'i': // input comes from standard input anyway; there are no profiles to read
			case 'o':
				if len(args) == 0 {
					return nil, "", false, nil, exitError{2, "-o needs the name of an option"}
				}
				set, args = append(set, a[:1]+"o", args[0]), args[1:]
			default:
				set = append(set, a[:1]+string(letter))
			}
		}
	}
	if isText {
		if len(args) == 0 {
			return nil, "", false, nil, exitError{2, "-c needs a text"}
		}
		text, args = args[0], args[1:]
	}
	return set, text, isText, args, nil
}

// statements runs what standard input brings, statement by statement, with a prompt on a terminal.
func statements(ctx context.Context, runner *interp.Runner, std stdio) error {
	prompt := func(string) {}
	if f, ok := std.in.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		prompt = func(s string) { fmt.Fprint(std.err, s) }
	}
	parser := syntax.NewParser()
	var last error
	prompt("$ ")
	for stmts, err := range parser.InteractiveSeq(bytewise{std.in}) {
		if err != nil {
			return exitError{2, err.Error()}
		}
		if parser.Incomplete() {
			prompt("> ")
			continue
		}
		for _, stmt := range stmts {
			last = runner.Run(ctx, stmt)
			if runner.Exited() {
				return last
			}
		}
		prompt("$ ")
	}
	return last
}

// bytewise reads no further than it is asked to, so that what follows a statement is left for the commands that
// it runs, as POSIX wants it of a shell that reads standard input.
type bytewise struct{ io.Reader }

func (b bytewise) Read(p []byte) (int, error) { return b.Reader.Read(p[:min(1, len(p))]) }

// ownBuiltins stands before the interpreter's builtins and does those that it lacks.
func ownBuiltins(ctx context.Context, args []string) ([]string, error) {
	hc := interp.HandlerCtx(ctx)
	switch args[0] {
	case "umask":
		if err := umask(hc.Stdout, args[1:]); err != nil {
			fmt.Fprintf(hc.Stderr, "umask: %v\n", err)
			return []string{"false"}, nil
		}
		return []string{"true"}, nil
	case "kill":
		return append([]string{inProcessKill}, args[1:]...), nil
	case "trap":
		return knownTraps(hc.Stderr, args), nil
	}
	return args, nil
}

// umask prints or sets the mask of the whole process: subshells share it, unlike those of a forking shell.
func umask(w io.Writer, args []string) error {
	if len(args) == 0 {
		old := unix.Umask(0)
		unix.Umask(old)
		_, err := fmt.Fprintf(w, "%04o\n", old)
		return err
	}
	mask, err := strconv.ParseUint(args[0], 8, 9)
	if err != nil {
		return fmt.Errorf("%q is not an octal mask", args[0])
	}
	unix.Umask(int(mask))
	return nil
}

// knownTraps takes the conditions that the interpreter has no trap for out of a trap command, and says so.
func knownTraps(w io.Writer, args []string) []string {
	if len(args) < 3 {
		return args
	}
	known := []string{"trap", args[1]}
	for _, c := range args[2:] {
		switch c {
		case "0", "EXIT":
			known = append(known, "EXIT")
		case "ERR":
			known = append(known, c)
		default:
			fmt.Fprintf(w, "trap: this shell has traps for EXIT and ERR only: %s ignored\n", c)
		}
	}
	if len(known) == 2 {
		return []string{"true"}
	}
	return known
}

// inProcessKill is the name under which the kill builtin reaches [killInProcess]; no file can have it.
const inProcessKill = "kill\x00"

func killInProcess(next interp.ExecHandlerFunc) interp.ExecHandlerFunc {
	return func(ctx context.Context, args []string) error {
		if args[0] != inProcessKill {
			return next(ctx, args)
		}
		hc := interp.HandlerCtx(ctx)
		err := kill(ctx, stdio{hc.Stdin, hc.Stdout, hc.Stderr}, args[1:])
		if code := status(hc.Stderr, "kill", err); code != 0 {
			return interp.ExitStatus(code)
		}
		return nil
	}
}

// borrowed lists builtins of the interpreter that are files, too; the links in /bin make them.
func borrowed() []string {
	return []string{"[", "echo", "false", "printf", "pwd", "test", "true"}
}

// runBorrowed runs one of [borrowed] as the command that its arguments are.
func runBorrowed(ctx context.Context, std stdio, name string, args []string) error {
	runner, err := interp.New(
		interp.StdIO(std.in, std.out, std.err),
		interp.Params(append([]string{"--", name}, args...)...),
	)
	if err != nil {
		return err
	}
	file, err := syntax.NewParser().Parse(strings.NewReader(`"$@"`), name)
	if err != nil {
		return err
	}
	return runner.Run(ctx, file)
}
