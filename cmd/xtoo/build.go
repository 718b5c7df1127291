package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"xtoo/internal/engine"
	"xtoo/layers"
	"xtoo/projects"
	"xtoo/qemu"
)

// buildOptions are the options of `xtoo build`.
type buildOptions struct {
	plan           planOptions
	ociLayout      string
	squashfs       string
	rootfs         string
	ociArchive     string
	dockerArchive  string
	sif            string
	sifCompression string
	stage4         string
	compression    string
	jobs           int
	qemu           []string
	noCache        bool
	twice          bool
	force          bool
	requireExact   bool

	// parsed is what check made of them.
	parsed struct {
		compression layers.Compression
		epoch       *time.Time
	}
}

func newBuildCommand(g *globals) *cobra.Command {
	var o buildOptions
	c := &cobra.Command{
		Use:   "build [PROJECT...]",
		Short: "Build images",
		Long: `Build the images of projects, and of the projects above them; without PROJECT, of all.
A PROJECT is a tag (x86-64bit/generic_64/host) or the path of a project's directory.

What the cache has is not executed again. Images go into the store by their tags, and from there
to the outputs that are asked for:

  --oci-layout DIR  adds the images to an OCI image layout, or replaces them there
  --sif DIR/        writes one SIF file a project, its tag with - for /
  --sif FILE        writes the SIF file of the one PROJECT; for several platforms, of each to FILE with
                    the platform before .sif
  --stage4 DIR/, --stage4 FILE.tar.xz
                    writes tarballs of the images' roots in the same way: what stage3s are. FILE may end in
                    .tar.xz, .tar.zst, .tar.gz or .tar; beside it appear FILE.sha256, FILE.DIGESTS and
                    FILE.CONTENTS.gz
  --squashfs DIR/, --squashfs FILE
                    writes the images' roots as squashfs filesystems in the same way
  --rootfs DIRS/, --rootfs DIR
                    unpacks the images' roots into new directories; one that has something in it is never replaced. Only
                    root gives files to their owners and makes device nodes: for others there is a warning
  --oci-archive DIR/, --oci-archive FILE
                    writes tar files of an OCI image layout, each with one image under its tag, in the same way
  --docker-archive DIR/, --docker-archive FILE
                    writes tar files that docker load and podman load take: the image is then TAG:latest, or TAG:PLATFORM

A root that names several stage3s is built for each of them, or for those that --platform names; its tags
are then indexes with one image for each platform, and files have the platform in their names.

The checks of a project are executed on its finished image. Where one fails, the image gets no tag and is in
no output, nor is what builds on it. (--check is something else: it finds out whether nodes give the same
layer each time. With --no-cache that is done for all of them.)

Outputs appear whole or not at all. SOURCE_DATE_EPOCH, if set, bounds the times in new layers and is the
creation time of the images; by default it is the newest time in the stage3.`,
		Example: `  xtoo build --oci-layout out/
  xtoo build arm-64bit/raspi4/kantoo --sif kantoo.sif --set hostname=pi
  xtoo build x86-64bit/generic_64/web --stage4 stage4-web.tar.xz
  xtoo build --platform arm-64bit --platform x86-64bit/generic_64 --oci-layout out/`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := notEmpty(cmd, namingFlags()...); err != nil {
				return err
			}
			return runBuild(cmd.Context(), g, o, args)
		},
		ValidArgsFunction: completeProjects(g),
	}
	o.addFlags(c, g)
	return c
}

// addFlags adds those that every command has that builds images.
func (o *buildOptions) addFlags(c *cobra.Command, g *globals) {
	o.plan.addFlags(c, g)
	f := c.Flags()
	f.StringVar(&o.plan.record, "record", "", "write the answers to questions to `FILE`, for --answers; secrets are not among them")
	f.StringVar(&o.ociLayout, "oci-layout", "", "write the images to the OCI image layout in `DIR`")
	f.StringVar(&o.ociArchive, "oci-archive", "", "write OCI archives: to `PATH`, a file, or a directory if it ends in /")
	f.StringVar(&o.dockerArchive, "docker-archive", "", "write archives for docker load: to `PATH`, a file, or a directory if it ends in /")
	f.StringVar(&o.sif, "sif", "", "write SIF files: to `PATH`, a file, or a directory if it ends in /")
	f.StringVar(&o.sifCompression, "sif-compression", "gzip", "compression in SIF and squashfs files: gzip (every host reads it), zstd or xz")
	f.StringVar(&o.stage4, "stage4", "", "write stage4 tarballs: to `PATH`, a file, or a directory if it ends in /")
	f.StringVar(&o.squashfs, "squashfs", "", "write squashfs filesystems: to `PATH`, a file, or a directory if it ends in /")
	f.StringVar(&o.rootfs, "rootfs", "", "unpack roots: into the new directory `DIR`, or into new ones below it if it ends in /")
	f.StringVar(&o.compression, "compression", "gzip", "compression of OCI layers: gzip, zstd or none")
	f.IntVarP(&o.jobs, "jobs", "j", 0, "how many nodes execute at a time (default: the number of cores)")
	addQemuFlag(c, &o.qemu)
	f.BoolVar(&o.noCache, "no-cache", false, "execute every node, whatever the cache has")
	f.BoolVar(&o.twice, "check", false, "execute each node that is executed twice, and say in what its layers differ (exit code 5)")
	f.BoolVar(&o.requireExact, "require-exact", false, "fail where an image may not be what root would build (docs/one-id.md)")
	f.BoolVar(&o.force, "force", false, "replace files that have other bytes")
}

// writes reports whether an output is asked for.
func (o *buildOptions) writes() bool {
	return o.ociLayout+o.ociArchive+o.dockerArchive+o.sif+o.stage4+o.squashfs+o.rootfs != ""
}

// namingFlags are the flags that name what is written.
func namingFlags() []string {
	return []string{"oci-layout", "oci-archive", "docker-archive", "sif", "stage4", "squashfs", "rootfs", "record"}
}

// notEmpty finds the flag that was given without a value, as by --sif "$SIF" where SIF is not set: what was asked for would
// silently not be done.
func notEmpty(c *cobra.Command, flags ...string) error {
	for _, name := range flags {
		if f := c.Flags().Lookup(name); f.Changed && f.Value.String() == "" {
			return usagef("--%s: its value is empty", name)
		}
	}
	return nil
}

// addQemuFlag adds --qemu.
func addQemuFlag(c *cobra.Command, to *[]string) {
	c.Flags().StringArrayVar(to, "qemu", nil, "use the emulator `PATH` (qemu-aarch64-static, …), or those in the directory PATH")
}

func runBuild(ctx context.Context, g *globals, o buildOptions, args []string) error {
	if err := o.check(); err != nil {
		return err
	}
	p := newPrinter(g)
	opt, end, err := o.engineOptions(g, p.event)
	if err != nil {
		return err
	}
	defer end()
	// From the first look on: what was read for an architecture must not be cleaned away before it is built on.
	release, err := opt.Store.Use(ctx)
	if err != nil {
		return err
	}
	defer release()
	plan, err := o.plan.load(ctx, g, args, func(bases []*projects.Base) (map[*projects.Base]qemu.Arch, error) {
		return engine.Arches(ctx, bases, opt, false)
	})
	if err != nil {
		return err
	}
	res, err := engine.Build(ctx, plan, opt)
	var differ *engine.DifferError
	if err != nil && !(errors.As(err, &differ) && len(flatten(err)) == 1) {
		return err
	}
	return errors.Join(p.result(res), err) // where nodes differ, all is built
}

// check finds what is wrong with the options.
func (o *buildOptions) check() error {
	if o.jobs < 0 {
		return usagef("--jobs %d: it must be at least 1", o.jobs)
	}
	var err error
	if o.parsed.compression, err = layers.ParseCompression(o.compression); err != nil {
		return usagef("--compression: %w", err)
	}
	switch o.sifCompression {
	case "", "gzip", "zstd", "xz":
	default:
		return usagef("--sif-compression: unknown compression %q: it is gzip, zstd or xz", o.sifCompression)
	}
	o.parsed.epoch, err = sourceDateEpoch()
	return err
}

// sourceDateEpoch reads SOURCE_DATE_EPOCH: seconds since 1970, see reproducible-builds.org.
func sourceDateEpoch() (*time.Time, error) {
	text := os.Getenv("SOURCE_DATE_EPOCH")
	if text == "" {
		return nil, nil
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 || n > engine.MaxEpoch {
		return nil, usagef("SOURCE_DATE_EPOCH=%q: it must be a number of seconds since 1970, at most %d", text, engine.MaxEpoch)
	}
	t := time.Unix(n, 0).UTC()
	return &t, nil
}
