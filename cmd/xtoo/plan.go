package main

import (
	"context"
	"errors"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/internal/engine"
	"xtoo/projects"
	"xtoo/qemu"
)

// planOptions are the options that say what is to be built, and with which values.
type planOptions struct {
	set    []string
	values []string
}

func (o *planOptions) addFlags(c *cobra.Command) {
	f := c.Flags()
	f.StringArrayVar(&o.set, "set", nil, "give a value: `NAME=VALUE`, or TAG:NAME=VALUE for one project and those below it")
	f.StringArrayVar(&o.values, "values", nil, "take values from the YAML `FILE`")
}

// load reads the tree of projects and makes the plan for those that are named. Values that nobody gave are asked for
// where there is a terminal.
func (o planOptions) load(ctx context.Context, g *globals, names []string) (*projects.Plan, error) {
	tree, err := projects.Load(g.workdir)
	if err != nil {
		return nil, err
	}
	for _, w := range tree.Warnings {
		say(g.err, "warning", w.Error())
	}
	cwd, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	selected, err := tree.Select(names, cwd)
	if err != nil {
		return nil, err
	}
	given := projects.Given{Set: o.set, Files: o.values}
	// What is wrong with the values is found before a stage3 is read for its architecture.
	if err := askMissing(ctx, g, &given, tree.Check(selected, given)); err != nil {
		return nil, err
	}
	if given.Arch, err = arches(ctx, g, selected); err != nil {
		return nil, err
	}
	plan, err := tree.Resolve(selected, given)
	if err == nil {
		return plan, nil
	}
	if err := askMissing(ctx, g, &given, err); err != nil {
		return nil, err
	}
	return tree.Resolve(selected, given)
}

// askMissing asks for the values that err says are missing, if somebody is there to answer, and adds the answers.
// Any other error is returned.
func askMissing(ctx context.Context, g *globals, given *projects.Given, err error) error {
	var missing *projects.MissingError
	if !errors.As(err, &missing) || !canAsk() {
		return err
	}
	answers, err := ask(ctx, g.err, missing.List)
	given.Set = append(given.Set, answers...)
	return err
}

// arches finds the architectures that the configurations do not say.
func arches(ctx context.Context, g *globals, selected []*projects.Project) (map[string]qemu.Arch, error) {
	var roots []*projects.Project
	seen := map[*projects.Project]bool{}
	for _, p := range selected {
		if r := p.Root(); !seen[r] && r.Base.Arch.IsZero() {
			seen[r] = true
			roots = append(roots, r)
		}
	}
	if len(roots) == 0 {
		return nil, nil
	}
	store, err := g.openStore()
	if err != nil {
		return nil, err
	}
	epoch, err := sourceDateEpoch()
	if err != nil {
		return nil, err
	}
	p := newPrinter(g)
	return engine.Arches(ctx, roots, engine.Options{Store: store, Host: hostOnce(), Log: g.logger(), Events: p.event, Epoch: epoch})
}

// completeProjects completes tags.
func completeProjects(g *globals) func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
	return func(_ *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		tree, err := projects.Load(g.workdir)
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
