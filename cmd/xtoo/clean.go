package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"xtoo/internal/engine"
	"xtoo/internal/engine/local"
	"xtoo/layers/store"
)

func newCleanCommand(g *globals) *cobra.Command {
	var all bool
	c := &cobra.Command{
		Use:   "clean",
		Short: "Remove what the store does not need",
		Long: `Remove from the store what none of its images refers to: blobs, layer directories, records,
logs, and what killed builds left. With --all, remove everything the store holds, whoever owns
the files by subuid, and the store itself. Outputs elsewhere are not touched.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runClean(cmd.Context(), g, all) },
	}
	c.Flags().BoolVar(&all, "all", false, "remove everything")
	return c
}

func runClean(ctx context.Context, g *globals, all bool) error {
	st, err := g.openStore()
	if err != nil {
		return err
	}
	runner := local.New(local.Options{Store: st, Log: g.logger()})
	defer runner.Close()
	rm := runner.Remove
	if all {
		if err := st.CleanAll(ctx, rm); err != nil {
			return fmt.Errorf("clean %s: %w", st.Dir(), err)
		}
		if g.json {
			return printJSON(g.out, map[string]string{"removed": st.Dir()})
		}
		if !g.quiet {
			_, err = fmt.Fprintf(g.out, "removed everything in %s\n", st.Dir())
		}
		return err
	}
	done, err := st.Clean(ctx, func() (store.Keep, error) { return engine.Keep(ctx, st, func(text string) { say(g.err, "warning", text) }) }, rm)
	if err != nil {
		return fmt.Errorf("clean %s: %w", st.Dir(), err)
	}
	for _, path := range done.Unknown {
		say(g.err, "warning", path+" is nothing that this version of xtoo puts into a store: left alone")
	}
	if g.json {
		return printJSON(g.out, done)
	}
	if !g.quiet {
		_, err = fmt.Fprintf(g.out, "removed %d blobs (%s), %d layer directories, %d records, %d logs\n",
			done.Blobs, size(done.Bytes), done.Layers, done.Records, done.Logs)
	}
	return err
}
