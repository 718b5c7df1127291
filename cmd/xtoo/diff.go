package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/internal/engine"
	"xtoo/layers"
	"xtoo/layers/merge"
	"xtoo/layers/store"
	"xtoo/sif"
	"xtoo/sif/squashfs"
)

func newDiffCommand(g *globals) *cobra.Command {
	var o shellOptions
	c := &cobra.Command{
		Use:   "diff BEFORE AFTER",
		Short: "Say in which files two images differ",
		Long: `Say in which files two images differ. BEFORE and AFTER are each a PROJECT, a PROJECT@NODE (the image as it is after
that node), or a SIF file. What is missing of projects is built first, as xtoo build does it; checks are not executed.

There is a line for each file that was added, removed or changed, in the order of paths, and for what has changed how
it was before and after: kind, mode, owner, target, device, time (to the second), extended attributes, content. No line: they
have the same files. Settings of images (image:) are not looked at.`,
		Example: `  xtoo diff web@base/sync web
  xtoo diff web.sif web`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runDiff(cmd.Context(), g, o, args[0], args[1])
		},
		ValidArgsFunction: completeProjects(g),
	}
	o.addFlags(c, g)
	return c
}

func runDiff(ctx context.Context, g *globals, o shellOptions, before, after string) error {
	if err := o.check(); err != nil {
		return err
	}
	opt, runner, err := o.shellEngine(g)
	if err != nil {
		return err
	}
	defer runner.Close()
	var lists [2]layers.Listing
	for i, what := range []string{before, after} {
		if isSIF(what) {
			err = listSIF(ctx, &lists[i], what)
		} else {
			err = o.open(ctx, g, opt, what, func(ctx context.Context, j engine.Job) (err error) {
				lists[i], err = listLayers(ctx, opt.Store, j.Layers)
				return err
			})
		}
		if err != nil {
			return err
		}
	}
	changes, err := lists[1].Changes(ctx, &lists[0])
	if err != nil {
		return err
	}
	if g.json {
		return printJSON(g.out, append([]layers.Change{}, changes...))
	}
	var b strings.Builder
	for _, c := range changes {
		fmt.Fprintf(&b, "%-7s  %s", c.State, visible(c.Path))
		if len(c.How) > 0 {
			fmt.Fprintf(&b, ": %s", strings.Join(c.How, ", "))
		}
		b.WriteByte('\n')
	}
	_, err = io.WriteString(g.out, b.String())
	return err
}

// isSIF says whether a name is that of a file, and not that of a project.
func isSIF(name string) bool {
	if strings.HasSuffix(name, ".sif") {
		return true
	}
	info, err := os.Stat(name)
	return err == nil && info.Mode().IsRegular()
}

// listLayers lists what is visible in layers of the store, bottom first.
func listLayers(ctx context.Context, s *store.Store, links []engine.Link) (layers.Listing, error) {
	var stack []merge.Layer
	for _, l := range slices.Backward(links) {
		stack = append(stack, merge.Layer{Open: func() (io.ReadCloser, error) { return s.OpenLayer(l.DiffID) }, DiffID: l.DiffID})
	}
	var list *layers.Listing
	view, err := merge.Layers(ctx, stack, func() (merge.Sink, error) {
		list = &layers.Listing{}
		return list, nil
	}, merge.Options{})
	if err != nil {
		return layers.Listing{}, err
	}
	for dir := range view.Implied() {
		list.Imply(dir)
	}
	return *list, nil
}

// listSIF lists the files of a SIF file.
func listSIF(ctx context.Context, list *layers.Listing, name string) (err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("read %s: %w", name, unwrapPath(err))
		}
	}()
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close() // read only
	info, err := f.Stat()
	if err != nil {
		return err
	}
	c, err := sif.Open(f, info.Size())
	if err != nil {
		return err
	}
	if c.Partition == nil {
		return errors.New("it has no squashfs file system")
	}
	files, err := squashfs.NewReader(c.Partition, c.Partition.Size())
	if err != nil {
		return err
	}
	first := map[uint32]string{} // names of inodes that have several
	return eachFile(ctx, files, func(f *squashfs.File) error {
		m := layers.Member{
			Path: path.Clean("/" + f.Path)[1:], Mode: f.Mode, UID: f.UID, GID: f.GID, Major: f.Major, Minor: f.Minor, Size: f.Size,
			ModTime: f.ModTime, Target: f.Target,
		}
		if f.Links > 1 && !m.IsDir() {
			if target, ok := first[f.Number]; ok {
				return list.Link(m.Path, target)
			}
			first[f.Number] = m.Path
		}
		if m.Xattrs, err = f.ReadXattrs(); err != nil {
			return err
		}
		return list.Add(&m, f.Data())
	})
}
