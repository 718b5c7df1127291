// Command box is the only program of the demo's stage3: one static binary that is a shell and the usual small
// tools, by the name it is called with (or by its first argument, when called as "box").
//
// It exists so that the example tree can be built on a machine that has nothing but Go: scripts with a #!/bin/sh
// line run, and /bin/ls is a file that exec finds. The shell is mvdan.cc/sh; the tools that the example
// tree and the tests call stand in the files beside this one. It is no replacement for a real userland: tools know
// their common options and refuse the others.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"mvdan.cc/sh/v3/interp"
)

// stdio is what a tool reads and writes.
type stdio struct {
	in       io.Reader
	out, err io.Writer
}

// A tool is one command. The error's text goes to standard error behind the tool's name; its exit status is 1,
// or the one that an [exitError] carries.
type tool func(ctx context.Context, std stdio, args []string) error

// An exitError ends a tool with a status of its own, and with a message unless text is empty.
type exitError struct {
	code int
	text string
}

func (e exitError) Error() string { return e.text }

func main() {
	name, args := filepath.Base(os.Args[0]), os.Args[1:]
	if name == "box" {
		if len(args) == 0 || args[0] == "--list" {
			for _, n := range names() {
				fmt.Println(n)
			}
			return
		}
		name, args = filepath.Base(args[0]), args[1:]
	}
	os.Exit(run(context.Background(), name, args))
}

// names returns every name that the binary answers to, sorted: the demo's stage3 has a link for each.
func names() []string {
	all := slices.Collect(maps.Keys(tools()))
	all = append(all, "sh")
	all = append(all, borrowed()...)
	slices.Sort(all)
	return slices.Compact(all)
}

// run executes the tool of the given name and returns its exit status.
func run(ctx context.Context, name string, args []string) int {
	std := stdio{os.Stdin, os.Stdout, os.Stderr}
	var err error
	if t, ok := tools()[name]; ok {
		err = t(ctx, std, args)
	} else if name == "sh" {
		err = shell(ctx, std, args)
	} else if slices.Contains(borrowed(), name) {
		err = runBorrowed(ctx, std, name, args)
	} else {
		err = exitError{127, "no such tool in this binary"}
	}
	return status(std.err, name, err)
}

// status prints what there is to say about err and returns the exit status it stands for.
func status(w io.Writer, name string, err error) int {
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[interp.ExitStatus](err); ok {
		return int(code)
	}
	if e, ok := errors.AsType[exitError](err); ok {
		if e.text != "" {
			fmt.Fprintf(w, "%s: %s\n", name, e.text)
		}
		return e.code
	}
	fmt.Fprintf(w, "%s: %v\n", name, err)
	return 1
}
