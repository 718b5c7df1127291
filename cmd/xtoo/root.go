package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"xtoo/chroot/host"
	"xtoo/layers/store"
)

// globals are the options of every command.
type globals struct {
	out, err io.Writer
	workdir  string
	store    string
	json     bool
	quiet    bool
	verbose  bool
}

func newRootCommand(stdout, stderr io.Writer) *cobra.Command {
	g := &globals{out: stdout, err: stderr}
	root := &cobra.Command{
		Use:   "xtoo",
		Short: "Turn stage3 tarballs into container images, as any user",
		Long: `xtoo turns Funtoo and Gentoo stage3 tarballs into container images: as any user, on any
Linux machine, without a daemon, and always into the same bytes.

A tree of directories with hidden .xtoo-config.yaml files is a tree of images: a directory's
parent directory is its parent image, its path is its tag. Each project has a tree of scripts,
executed depth first, each committing one layer.

` + exitCodesHelp,
		SilenceErrors:     true,
		SilenceUsage:      true,
		DisableAutoGenTag: true,
		Args:              cobra.NoArgs,
		RunE:              func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: false},
	}
	root.SetOut(stdout)
	root.SetErr(stderr)
	root.SetFlagErrorFunc(func(_ *cobra.Command, err error) error { return usageError{err} })
	f := root.PersistentFlags()
	f.StringVarP(&g.workdir, "workdir", "C", ".", "`directory` that holds the whole tree of projects")
	f.StringVar(&g.store, "store", "", "`directory` of the store (default $XTOO_STORE, else $XDG_DATA_HOME/xtoo)")
	f.BoolVar(&g.json, "json", false, "print JSON instead of text for people")
	f.BoolVarP(&g.quiet, "quiet", "q", false, "print errors and warnings only")
	f.BoolVarP(&g.verbose, "verbose", "v", false, "print what is for developers, too")
	root.MarkFlagsMutuallyExclusive("quiet", "verbose")
	root.AddCommand(
		newBuildCommand(g), newDockerCommand(g), newSIFCommand(g), newTreeCommand(g), newShellCommand(g), newDiffCommand(g), newNewCommand(g),
		newImportSpecCommand(g), newTypesCommand(g), newStepsCommand(g), newInspectCommand(g), newCleanCommand(g), newDoctorCommand(g),
		newSchemaCommand(g), newVersionCommand(g), newManCommand(g),
	)
	wrapArgs(root)
	return root
}

// wrapArgs makes every complaint about arguments a usage error.
func wrapArgs(c *cobra.Command) {
	if check := c.Args; check != nil {
		c.Args = func(cmd *cobra.Command, args []string) error {
			if err := check(cmd, args); err != nil {
				return usageError{err}
			}
			return nil
		}
	}
	for _, sub := range c.Commands() {
		wrapArgs(sub)
	}
}

// logger returns what takes messages for developers.
func (g *globals) logger() *slog.Logger {
	level := slog.LevelWarn
	if g.verbose {
		level = slog.LevelDebug
	}
	return slog.New(slog.NewTextHandler(g.err, &slog.HandlerOptions{Level: level}))
}

// openStore opens the store that the options name.
func (g *globals) openStore() (*store.Store, error) {
	dir, scratch, err := g.storeDirs()
	if err != nil {
		return nil, err
	}
	return store.Open(dir, store.OpenOptions{Scratch: scratch, Shared: host.IsShared, Log: g.logger()})
}

// storeDirs are the store's directory and that of its scratch: the user's own words, else a place on a local disk where the
// store's file system cannot hold layers. scratch is "" where the store holds them itself.
func (g *globals) storeDirs() (dir, scratch string, err error) {
	dir = g.store
	if dir == "" {
		if dir, err = store.DefaultDir(); err != nil {
			return "", "", err
		}
	}
	if dir, err = filepath.Abs(dir); err != nil {
		return "", "", err
	}
	if scratch = os.Getenv("XTOO_SCRATCH"); scratch == "" {
		scratch = host.Scratch(dir)
	}
	return dir, scratch, nil
}
