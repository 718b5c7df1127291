package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/internal/engine"
	"xtoo/projects"
	"xtoo/qemu"
)

func newTreeCommand(g *globals) *cobra.Command {
	var o buildOptions
	c := &cobra.Command{
		Use:   "tree [PROJECT...]",
		Short: "Show the tree of images, what is cached, what would run and why",
		Long: `Show the tree of images: for each project, each of its nodes (-) and each check of its image (?), in the
order of execution, whether the cache has it, or why it would have to be executed. Nothing is executed, and nothing written
but the digest and the architecture of stage3s that had to be read for that; it says which.`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runTree(cmd.Context(), g, o, args)
		},
		ValidArgsFunction: completeProjects(g),
	}
	o.plan.addFlags(c, g)
	c.Flags().BoolVar(&o.noCache, "no-cache", false, "as for build: nothing is taken from the cache")
	return c
}

func runTree(ctx context.Context, g *globals, o buildOptions, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	// Standard output is for the tree alone.
	p := &textPrinter{out: g.out, err: g.err, quiet: g.quiet}
	opt, end, err := o.engineOptions(g, p.event)
	if err != nil {
		return err
	}
	defer end()
	plan, err := o.plan.load(ctx, g, args, func(bases []*projects.Base) (map[*projects.Base]qemu.Arch, error) {
		return engine.Arches(ctx, bases, opt, true)
	})
	if err != nil {
		return err
	}
	status, err := engine.Status(ctx, plan, opt)
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
	for _, c := range p.Checks {
		state := "cached"
		if !c.Cached {
			state = "to run: " + c.Why
		}
		fmt.Fprintf(b, "%s  ? %s  [%s]\n", indent, c.Check, state)
	}
}
