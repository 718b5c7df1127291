package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/chroot"
	"xtoo/internal/engine"
	"xtoo/internal/engine/local"
	"xtoo/projects"
	"xtoo/qemu"
)

// shellOptions are the options of commands that open images.
type shellOptions struct {
	buildOptions
	noBuild bool
}

func (o *shellOptions) addFlags(c *cobra.Command, g *globals) {
	o.plan.addFlags(c, g)
	addQemuFlag(c, &o.qemu)
	f := c.Flags()
	f.IntVarP(&o.jobs, "jobs", "j", 0, "how many nodes execute at a time (default: the number of cores)")
	f.BoolVar(&o.noBuild, "no-build", false, "build nothing: what is missing is an error")
}

func newShellCommand(g *globals) *cobra.Command {
	var o shellOptions
	c := &cobra.Command{
		Use:   "shell PROJECT[@NODE] [-- COMMAND...]",
		Short: "Open a shell in an image, or execute a command there; nothing of it is kept",
		Long: `Open a shell in the image of a project, or execute a COMMAND there. With @NODE (base/sync, as xtoo tree names it)
it is the image as it is after that node. What is missing is built first, as xtoo build does it; checks are not
executed. What is changed is thrown away at the end: no layer, no record and no image comes of it.

It is executed as the project's scripts are: as root, in the same environment (of the node, with @NODE), with the same
volumes and network, in /, under an emulator where the image is for another machine. It sees no secrets, and no files of a node.
Volumes are the host's own: what is written there stays.

Standard input, output and error are the caller's. Where input and output are a terminal, there is one inside, too, with TERM
as it is here: Ctrl-C and Ctrl-Z go to what is executed. Otherwise they work in pipes. The exit code is the
command's, or 128 and the number of the signal that killed it; where nothing could be executed, it is xtoo's own.

Without COMMAND it is /bin/bash --login, or where there is none, /bin/sh -l.`,
		Example: `  xtoo shell x86-64bit/generic_64/web
  xtoo shell web@base/sync -- ls -l /var/db/repos
  tar c files | xtoo shell web -- sh -c 'tar x -C /srv && web --test'`,
		Args: shellArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runShell(cmd.Context(), g, o, args[0], args[1:])
		},
		ValidArgsFunction: completeProjects(g),
	}
	o.addFlags(c, g)
	return c
}

// shellArgs are a project, and behind -- a command.
func shellArgs(cmd *cobra.Command, args []string) error {
	named := cmd.ArgsLenAtDash()
	if named < 0 {
		named = len(args)
	}
	switch {
	case named == 0:
		return errors.New("name a project: xtoo shell PROJECT")
	case named > 1:
		return fmt.Errorf("what is to be executed stands behind --: xtoo shell %s -- %s", args[0], strings.Join(args[1:], " "))
	}
	return nil
}

// exitStatus is the exit code of a command, which had its say itself.
type exitStatus int

func (e exitStatus) Error() string { return fmt.Sprintf("the command exited with code %d", int(e)) }

// noShellError adds what to do where an image has no shell.
type noShellError struct{ error }

func (e noShellError) Unwrap() error { return e.error }

// Hint says what can be executed.
func (e noShellError) Hint() string {
	return "the image has no shell that can be executed: name a program that it has, behind --"
}

func runShell(ctx context.Context, g *globals, o shellOptions, where string, command []string) error {
	if g.json {
		return usagef("--json: what is printed is the command's own")
	}
	if err := o.check(); err != nil {
		return err
	}
	opt, runner, err := o.shellEngine(g)
	if err != nil {
		return err
	}
	defer runner.Close()
	var out engine.Outcome
	err = o.open(ctx, g, opt, where, func(ctx context.Context, j engine.Job) (err error) {
		if out, err = converse(ctx, runner, j, command); err == nil {
			return nil
		}
		err = fmt.Errorf("in %s: %w", where, err)
		if len(command) == 0 && errors.Is(err, chroot.ErrNotExecutable) {
			return noShellError{err}
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, note := range out.Notes {
		say(g.err, "warning", note)
	}
	if out.Exit != 0 {
		return exitStatus(out.Exit)
	}
	return nil
}

// open opens PROJECT[@NODE]: see [engine.Open].
func (o *shellOptions) open(ctx context.Context, g *globals, opt engine.Options, where string, use func(context.Context, engine.Job) error) error {
	name, node, isNode := strings.Cut(where, "@")
	if isNode && node == "" {
		return usagef("%s: a node's name is missing behind the @", where)
	}
	release, err := opt.Store.Use(ctx) // see runBuild
	if err != nil {
		return err
	}
	defer release()
	plan, err := o.plan.load(ctx, g, []string{name}, func(bases []*projects.Base) (map[*projects.Base]qemu.Arch, error) {
		return engine.Arches(ctx, bases, opt, o.noBuild)
	})
	if err != nil {
		return err
	}
	return engine.Open(ctx, plan, engine.State{Node: node, NoBuild: o.noBuild}, opt, use)
}

// shellEngine is the engine without outputs, and its runner. What the cache has is not told of.
func (o *shellOptions) shellEngine(g *globals) (engine.Options, *local.Runner, error) {
	events := (&textPrinter{out: g.err, err: g.err, quiet: g.quiet}).event
	opt := engine.Options{Log: g.logger(), Jobs: o.jobs, Compression: o.parsed.compression, Epoch: o.parsed.epoch}
	opt.Events = func(e engine.Event) {
		if e.State != engine.StateCached {
			events(e)
		}
	}
	var err error
	if opt.Store, err = g.openStore(); err != nil {
		return opt, nil, err
	}
	runner := local.New(local.Options{Store: opt.Store, Emulators: o.qemu, Log: opt.Log, Events: events})
	opt.Runner, opt.Sources = runner, newSources(opt.Store, runner, o.jobs, opt.Log)
	return opt, runner, nil
}

// converse executes a command, or a shell, with the standard files of this process.
func converse(ctx context.Context, runner *local.Runner, j engine.Job, command []string) (out engine.Outcome, err error) {
	s := local.Session{Commands: [][]string{{"/bin/bash", "--login"}, {"/bin/sh", "-l"}}, Output: os.Stdout, Errors: os.Stderr}
	if len(command) > 0 {
		s.Commands = [][]string{command}
	}
	if onTerminal() {
		return onOwnTerminal(ctx, runner, j, s)
	}
	input, err := pipedInput()
	if err != nil {
		return out, err
	}
	s.Input = input
	out, err = runner.Session(ctx, j, s)
	return out, errors.Join(err, input.Close())
}
