package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/internal/engine"
	"xtoo/projects"
)

func newTreeCommand(g *globals) *cobra.Command {
	var o planOptions
	var noCache bool
	c := &cobra.Command{
		Use:   "tree [PROJECT...]",
		Short: "Show the tree of images, what is cached, what would run and why",
		Long: `Show the tree of images: for each project and each of its nodes, in the order of execution,
whether the cache has it, or why it would have to be executed. Nothing is executed.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runTree(cmd.Context(), g, o, noCache, args)
		},
		ValidArgsFunction: completeProjects(g),
	}
	o.addFlags(c, g)
	c.Flags().BoolVar(&noCache, "no-cache", false, "as for build: nothing is taken from the cache")
	return c
}

func runTree(ctx context.Context, g *globals, o planOptions, noCache bool, args []string) error {
	// Standard output is for the tree alone.
	p := &textPrinter{out: g.out, err: g.err, quiet: g.quiet}
	plan, err := o.load(ctx, g, args, p.event)
	if err != nil {
		return err
	}
	epoch, err := sourceDateEpoch()
	if err != nil {
		return err
	}
	store, err := g.openStore()
	if err != nil {
		return err
	}
	status, err := engine.Status(ctx, plan, engine.Options{Store: store, Log: g.logger(), NoCache: noCache, Epoch: epoch})
	if err != nil {
		return err
	}
	if g.json {
		return printJSON(g.out, status)
	}
	var b strings.Builder
	depth := map[string]int{}
	for _, p := range status {
		d, ok := depth[p.Parent]
		if p.Parent != "" && ok {
			d++
		}
		depth[p.Project] = d
		writeStatus(&b, p, strings.Repeat("    ", d))
	}
	_, err = fmt.Fprint(g.out, b.String())
	return err
}

func writeStatus(b *strings.Builder, p engine.ProjectStatus, indent string) {
	state := "cached"
	if !p.Cached {
		state = "to build: " + p.Why
	}
	fmt.Fprintf(b, "%s%s  [%s]\n", indent, projects.Label(p.Project, p.Platform), state)
	if p.Base != "" {
		fmt.Fprintf(b, "%s  from %s\n", indent, p.Base)
	}
	for _, n := range p.Nodes {
		state := "cached"
		if !n.Cached {
			state = "to run: " + n.Why
		}
		fmt.Fprintf(b, "%s  - %s  [%s]\n", indent, n.Node, state)
	}
}
