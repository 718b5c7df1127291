package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/internal/atomicfile"
	"xtoo/projects"
	"xtoo/qemu"
)

// planOptions are the options that say what is to be built, and with which values.
type planOptions struct {
	source    *projects.Source // nil: the work directory
	set       []string
	secrets   []string
	values    []string
	answers   []string
	record    string
	noInput   bool
	ask       bool
	platforms []string
	offline   bool
}

func (o *planOptions) addFlags(c *cobra.Command, g *globals) {
	f := c.Flags()
	f.StringArrayVar(&o.set, "set", nil, "give a value: `NAME=VALUE`, or TAG:NAME=VALUE for one project and those below it")
	f.StringArrayVar(&o.secrets, "secret", nil, "give a secret: `NAME=file:PATH` or NAME=env:VARIABLE (TAG:NAME=… as with --set)")
	f.StringArrayVar(&o.values, "values", nil, "take values from the YAML `FILE`")
	f.StringArrayVar(&o.answers, "answers", nil, "take answers from the `FILE` that build --record wrote")
	f.BoolVar(&o.ask, "ask", false, "ask for every value that has a prompt, whether it has a default or not")
	f.BoolVar(&o.noInput, "no-input", false, "ask nothing: values that nobody gave are an error (as without a terminal, or with CI=true)")
	f.StringArrayVar(&o.platforms, "platform", nil, "build for `ARCH` alone: arm-64bit, arm-64bit/raspi4, linux/arm/v7, or several with commas (default: for all that roots name)")
	f.BoolVar(&o.offline, "offline", false, "give no node a network; layers of nodes that had one are not used")
	_ = c.RegisterFlagCompletionFunc("platform", completePlatforms(g)) // it fails for flags that are not there
}

// load reads the tree of projects and makes the plan for those that are named. Values that nobody gave are asked for
// where there is a terminal. find finds the architectures that nobody declared.
func (o planOptions) load(ctx context.Context, g *globals, names []string, find archFinder) (*projects.Plan, error) {
	source := g.source()
	if o.source != nil {
		source = *o.source
	}
	tree, err := projects.Load(source)
	if err != nil {
		return nil, err
	}
	if o.ask && (o.noInput || !canAsk()) {
		return nil, usagef("--ask: there is no terminal to ask on, or something (--no-input, CI in the environment) says that nobody is there")
	}
	environ := os.Environ()
	for _, w := range slices.Concat(tree.Warnings, tree.UnknownVariables(environ)) {
		say(g.err, "warning", w.Error())
	}
	if secrets := tree.SecretsIn(o.set); len(secrets) > 0 {
		return nil, usageError{shownSecretError(secrets[0])}
	}
	if err := o.checkRecord(); err != nil {
		return nil, err
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	selected, err := tree.Select(names, cwd)
	if err != nil {
		return nil, err
	}
	given := projects.Given{Set: o.set, Secrets: o.secrets, Env: environ, Files: o.values, AnswerFiles: o.answers, Ask: o.ask, Named: len(names) > 0, Offline: o.offline}
	for _, p := range o.platforms {
		given.Platforms = append(given.Platforms, strings.Split(p, ",")...)
	}
	// What is wrong with the values is found before a stage3 is read for its architecture.
	if err := o.askMissing(ctx, g, &given, tree.Check(selected, given)); err != nil {
		return nil, err
	}
	if bases := undeclared(selected); len(bases) > 0 {
		if given.Arch, err = find(bases); err != nil {
			return nil, err
		}
	}
	plan, err := tree.Resolve(selected, given)
	if err != nil {
		if err := o.askMissing(ctx, g, &given, err); err != nil {
			return nil, err
		}
		if plan, err = tree.Resolve(selected, given); err != nil {
			return nil, err
		}
	}
	return plan, o.writeAnswers(tree, given)
}

// writeAnswers writes what was answered, for --answers: before anything is built, so that a build which fails loses none.
func (o planOptions) writeAnswers(tree *projects.Tree, given projects.Given) error {
	if o.record == "" {
		return nil
	}
	data, err := tree.Record(given)
	if err == nil {
		err = atomicfile.Write(o.record, data, 0o600)
	}
	if err != nil {
		return fmt.Errorf("--record %s: %w", o.record, err)
	}
	return nil
}

// A shownSecretError is a secret given by --set; its text is what stands left of the secret.
type shownSecretError string

func (e shownSecretError) Error() string {
	return fmt.Sprintf("--set %s: the value is a secret, and everybody on this machine can read the arguments of a command", string(e))
}

// Hint says how a secret is given.
func (e shownSecretError) Hint() string {
	name := string(e)[strings.LastIndexByte(string(e), ':')+1:]
	return fmt.Sprintf("write it to a file that only you can read and give that with --secret %s=file:PATH, or leave it out and be asked", name)
}

// askMissing asks for the values that err says are missing, if somebody is there to answer, and adds the answers.
// Any other error is returned.
func (o planOptions) askMissing(ctx context.Context, g *globals, given *projects.Given, err error) error {
	var missing *projects.MissingError
	if !errors.As(err, &missing) || o.noInput || !canAsk() {
		return err
	}
	answers, err := askOn(ctx, g.err, missing.Questions())
	given.Answers = append(given.Answers, answers...)
	return err
}

// An archFinder finds the architectures of bases.
type archFinder func([]*projects.Base) (map[*projects.Base]qemu.Arch, error)

// undeclared are the bases whose architectures the configurations do not say.
func undeclared(selected []*projects.Project) []*projects.Base {
	var bases []*projects.Base
	seen := map[*projects.Project]bool{}
	for _, p := range selected {
		r := p.Root()
		if seen[r] {
			continue
		}
		seen[r] = true
		for _, b := range r.Bases {
			if b.Arch.IsZero() {
				bases = append(bases, b)
			}
		}
	}
	return bases
}

// completeProjects completes tags.
func completeProjects(g *globals) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		tree, err := projects.Load(g.source())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var tags []string
		for _, t := range tree.Tags() {
			if strings.HasPrefix(t, prefix) {
				tags = append(tags, t)
			}
		}
		return tags, cobra.ShellCompDirectiveNoFileComp
	}
}

// completePlatforms completes the architectures that the tree declares, behind others and a comma, too.
func completePlatforms(g *globals) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(_ *cobra.Command, _ []string, prefix string) ([]string, cobra.ShellCompDirective) {
		tree, err := projects.Load(g.source())
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		before := prefix[:strings.LastIndexByte(prefix, ',')+1]
		var out []string
		for _, p := range tree.Platforms() {
			if strings.HasPrefix(before+p, prefix) {
				out = append(out, before+p)
			}
		}
		return out, cobra.ShellCompDirectiveNoFileComp
	}
}
