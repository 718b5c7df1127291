package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"xtoo/sif"
	"xtoo/sif/squashfs"
)

type inspectOptions struct {
	files, verify bool
}

func newInspectCommand(g *globals) *cobra.Command {
	var o inspectOptions
	c := &cobra.Command{
		Use:   "inspect FILE.sif",
		Short: "Say what a SIF file is, list its files, check it",
		Long: `Say what a SIF file is, whoever made it: its architecture and time, its objects, its file
system. The file may come from anywhere: what is damaged or means harm is an error that says where.

Files are listed as ls -l does: mode, owner, size, time, path, and where a symbolic link leads.
A directory's files follow it, by name. With --json they have their extended attributes, too.`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error { return runInspect(cmd.Context(), g, o, args[0]) },
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return []string{"sif"}, cobra.ShellCompDirectiveFilterFileExt
		},
	}
	c.Flags().BoolVar(&o.files, "files", false, "list the files")
	c.Flags().BoolVar(&o.verify, "verify", false, "read everything and check it: content, directories, links, attributes")
	return c
}

// An inspection is what `xtoo inspect --json` prints.
type inspection struct {
	File         string             `json:"file"`
	Architecture string             `json:"architecture"`
	ID           string             `json:"id"`
	Created      time.Time          `json:"created"`
	LaunchScript string             `json:"launch_script"`
	Definition   *string            `json:"definition,omitempty"`
	Metadata     json.RawMessage    `json:"metadata,omitempty"` // of inspect-metadata.json
	Config       json.RawMessage    `json:"config,omitempty"`   // of oci-config.json
	Objects      []inspectedObject  `json:"objects"`
	Filesystem   *inspectedSquashfs `json:"filesystem,omitempty"`
	Files        []inspectedFile    `json:"files,omitempty"`
	Verified     bool               `json:"verified,omitempty"`
}

type inspectedObject struct {
	ID     uint32 `json:"id"`
	Type   string `json:"type"`
	Name   string `json:"name,omitempty"`
	Offset int64  `json:"offset"` // in the file, in bytes
	Size   int64  `json:"size"`
}

type inspectedSquashfs struct {
	Compression string    `json:"compression"`
	BlockSize   int       `json:"block_size"`
	Inodes      uint32    `json:"inodes"`
	Created     time.Time `json:"created"`
	Offset      int64     `json:"offset"`
	Size        int64     `json:"size"` // without the padding at its end
}

func runInspect(ctx context.Context, g *globals, o inspectOptions, path string) error {
	if err := inspectFile(ctx, g, o, path); err != nil {
		return fmt.Errorf("inspect %s: %w", path, err)
	}
	return nil
}

func inspectFile(ctx context.Context, g *globals, o inspectOptions, path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return unwrapPath(err)
	}
	if !info.Mode().IsRegular() {
		return errors.New("not a regular file")
	}
	f, err := os.Open(path)
	if err != nil {
		return unwrapPath(err)
	}
	defer f.Close()
	c, err := sif.Open(f, info.Size())
	if err != nil {
		return err
	}
	r, err := newInspection(path, c)
	if err != nil {
		return err
	}
	var fs *squashfs.Reader
	switch {
	case c.Partition != nil:
		if fs, err = squashfs.NewReader(c.Partition, c.Partition.Size()); err != nil {
			return err
		}
		i := fs.Info()
		r.Filesystem = &inspectedSquashfs{i.Compression, i.BlockSize, i.Inodes, i.ModTime, c.Offset, i.Size}
	case o.files || o.verify:
		return errors.New("it has no squashfs file system")
	}
	if o.verify {
		if err := fs.Verify(ctx); err != nil {
			return err
		}
		r.Verified = true
	}
	if g.json {
		return inspectJSON(ctx, g, o, fs, r)
	}
	if err := printInspection(g.out, r); err != nil || !o.files {
		return err
	}
	return eachFile(ctx, fs, func(f *squashfs.File) error {
		_, err := fmt.Fprintln(g.out, fileLine(f))
		return err
	})
}

// unwrapPath is a system error without its path, which stands before it.
func unwrapPath(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

func newInspection(path string, c *sif.Container) (*inspection, error) {
	r := &inspection{
		File: path, Architecture: c.Arch, ID: c.ID, Created: c.Created, LaunchScript: strings.TrimRight(c.LaunchScript, "\n"),
		Objects: []inspectedObject{},
	}
	if c.Definition != nil {
		text := string(c.Definition)
		r.Definition = &text
	}
	for _, o := range c.Objects {
		r.Objects = append(r.Objects, inspectedObject{o.ID, o.Type.String(), o.Name, o.Offset, o.Size})
	}
	if y := c.Created.Year(); y < 0 || y > 9999 {
		return nil, fmt.Errorf("its header says that it was made in the year %d: it is damaged", y)
	}
	r.Metadata, r.Config = c.Metadata, c.Config
	for _, j := range []json.RawMessage{r.Metadata, r.Config} {
		if j != nil && !json.Valid(j) {
			return nil, errors.New("an object that should be JSON is not: it is damaged")
		}
	}
	return r, nil
}

// eachFile calls fn for each file, as a walk finds them, until ctx ends.
func eachFile(ctx context.Context, fs *squashfs.Reader, fn func(f *squashfs.File) error) error {
	return fs.Walk(func(f *squashfs.File) error {
		if err := ctx.Err(); err != nil {
			return err
		}
		return fn(f)
	})
}

func inspectJSON(ctx context.Context, g *globals, o inspectOptions, fs *squashfs.Reader, r *inspection) error {
	if o.files {
		err := eachFile(ctx, fs, func(f *squashfs.File) error {
			one, err := newInspectedFile(f)
			r.Files = append(r.Files, one)
			return err
		})
		if err != nil {
			return err
		}
	}
	return printJSON(g.out, r)
}

func printInspection(w io.Writer, r *inspection) error {
	var b strings.Builder
	line := func(name, format string, args ...any) {
		fmt.Fprintf(&b, "%-15s%s\n", name+":", fmt.Sprintf(format, args...))
	}
	line("file", "%s", visible(r.File))
	line("architecture", "%s", r.Architecture)
	line("created", "%s", r.Created.Format(time.RFC3339))
	line("launch script", "%s", visible(r.LaunchScript))
	if r.Definition != nil {
		line("definition", "%d bytes", len(*r.Definition))
	} else {
		line("definition", "none")
	}
	for _, o := range r.Objects {
		line(fmt.Sprintf("object %d", o.ID), "%s, %d bytes at %d", strings.TrimSpace(o.Type+" "+visible(o.Name)), o.Size, o.Offset)
	}
	if f := r.Filesystem; f != nil {
		line("file system", "squashfs, %s, blocks of %d bytes, %d inodes, %d bytes at %d", f.Compression, f.BlockSize, f.Inodes, f.Size, f.Offset)
	} else {
		line("file system", "none that is squashfs")
	}
	if r.Verified {
		line("verified", "everything was read, and agrees")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// visible is text that a file brought with it, quoted if there is anything in it that a terminal would not just show.
func visible(s string) string {
	if q := strconv.Quote(s); q[1:len(q)-1] != s {
		return q
	}
	return s
}
