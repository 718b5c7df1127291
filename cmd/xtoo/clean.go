package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"xtoo/internal/engine"
	"xtoo/internal/engine/local"
	"xtoo/layers/store"
)

// cleanOptions are the options of `xtoo clean`.
type cleanOptions struct {
	all    bool
	verify bool
}

func newCleanCommand(g *globals) *cobra.Command {
	var o cleanOptions
	c := &cobra.Command{
		Use:   "clean",
		Short: "Remove what the store does not need",
		Long: `Remove from the store what none of its images refers to: blobs, layer directories, records,
logs, and what killed builds left. With --all, remove everything the store holds, whoever owns
the files by subuid, and the store itself. Outputs elsewhere are not touched.

Layer directories are only working copies of layers. A build looks at a few files of each before it
uses one; --verify compares all files of all of them with their layers, and unpacks anew what is
not as it should be. It takes as long as unpacking them.`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return runClean(cmd.Context(), g, o) },
	}
	c.Flags().BoolVar(&o.all, "all", false, "remove everything")
	c.Flags().BoolVar(&o.verify, "verify", false, "compare layer directories with their layers, too, and mend them")
	c.MarkFlagsMutuallyExclusive("all", "verify")
	return c
}

func runClean(ctx context.Context, g *globals, o cleanOptions) error {
	st, err := g.openStore()
	if err != nil {
		return err
	}
	runner := local.New(local.Options{Store: st, Log: g.logger()})
	defer runner.Close()
	if o.all {
		return cleanAll(ctx, g, st, runner)
	}
	warn := func(text string) { say(g.err, "warning", text) }
	var report struct {
		store.Cleaned
		*local.Verified
	}
	report.Cleaned, err = st.Clean(ctx, func() (store.Keep, error) { return engine.Keep(ctx, st, warn) }, runner.Remove)
	if err == nil && o.verify {
		report.Verified, err = verify(ctx, st, runner, warn)
	}
	if err != nil {
		return fmt.Errorf("clean %s: %w", st.Dir(), err)
	}
	for _, path := range report.Unknown {
		warn(path + " is nothing that this version of xtoo puts into a store: left alone")
	}
	if g.json {
		return printJSON(g.out, report)
	}
	if g.quiet {
		return nil
	}
	_, err = fmt.Fprintf(g.out, "removed %d blobs (%s), %d layer directories, %d records, %d logs\n",
		report.Blobs, size(report.Bytes), report.Layers, report.Records, report.Logs)
	if v := report.Verified; v != nil && err == nil {
		_, err = fmt.Fprintf(g.out, "compared %d layer directories with their layers: %d unpacked anew, %d removed\n", v.Compared, v.Repaired, v.Discarded)
	}
	return err
}

func verify(ctx context.Context, st *store.Store, runner *local.Runner, warn func(string)) (*local.Verified, error) {
	release, err := st.Exclusive()
	if err != nil {
		return nil, err
	}
	defer release()
	v, err := runner.Verify(ctx, warn)
	return &v, errors.Join(err, st.Close(ctx, runner.Remove))
}

func cleanAll(ctx context.Context, g *globals, st *store.Store, runner *local.Runner) error {
	if err := st.CleanAll(ctx, runner.Remove); err != nil {
		return fmt.Errorf("clean %s: %w", st.Dir(), err)
	}
	others, err := st.OtherMachines()
	if err != nil {
		return err
	}
	for _, path := range others {
		say(g.err, "warning", path+" is another machine's, which may be using it: clean there, or remove it if that machine is no more")
	}
	if g.json {
		return printJSON(g.out, map[string]string{"removed": st.Dir()})
	}
	if g.quiet {
		return nil
	}
	_, err = fmt.Fprintf(g.out, "removed everything in %s\n", st.Dir())
	return err
}
