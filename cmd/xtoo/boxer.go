package main

import (
	"archive/zip"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"xtoo/projects"
)

// boxerOptions are the options of `xtoo docker` and `xtoo sif`, boxer's two commands.
type boxerOptions struct {
	build buildOptions
	stage string
	tag   string
	out   string
}

// defaultSIF is the file that boxer's sif writes.
const defaultSIF = "stage3-funtoo.sif"

func newDockerCommand(g *globals) *cobra.Command {
	var o boxerOptions
	c := &cobra.Command{
		Use:   "docker --stage FILE",
		Short: "Make a docker image of a stage3, whose init runs",
		Long: `Make an image of a stage3 for docker and podman: a container in which /sbin/init starts, and OpenRC or systemd
the services. What boxer docker does, without docker: as any user, into a file or directory.

It is a build of a project of the type container (xtoo types show container), with all options of xtoo build.
The image goes into the store, and to the outputs that are asked for: --out, or any of xtoo build.

Without --tag, the tag is made of the file's name: funtoo/boxer-generic_64:2022-06-16 of
stage3-generic_64-next-2022-06-16.tar.xz.`,
		Example: `  xtoo docker --stage stage3-generic_64-next-2022-06-16.tar.xz --tag funtoo/boxer:2022-06-16 --out boxer.tar
  docker load -i boxer.tar`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := notEmpty(cmd, append(namingFlags(), "out", "tag")...); err != nil {
				return err
			}
			return runDocker(cmd.Context(), g, o)
		},
	}
	o.addFlags(c, g)
	c.Flags().StringVar(&o.out, "out", "", "write the image to `PATH`: a file for docker load, or an OCI image layout if it is a directory or ends in /")
	c.MarkFlagsMutuallyExclusive("out", "oci-layout")
	c.MarkFlagsMutuallyExclusive("out", "docker-archive")
	return c
}

func newSIFCommand(g *globals) *cobra.Command {
	var o boxerOptions
	c := &cobra.Command{
		Use:   "sif --stage FILE",
		Short: "Make a SIF file of a stage3, for apptainer and singularity",
		Long: `Make a SIF file of a stage3 for apptainer and singularity: run starts a login shell in it, and instance start
--boot its /sbin/init, with OpenRC or systemd and the services. What boxer sif does, without singularity, and with
the same owners, permissions and attributes whoever builds.

It is a build of a project of the type container (xtoo types show container) with the target singularity, and has
all options of xtoo build.`,
		Example: `  xtoo sif --stage stage3-generic_64-next-2022-06-16.tar.xz --out funtoo.sif
  sudo apptainer instance start --boot --writable-tmpfs funtoo.sif f1`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := notEmpty(cmd, append(namingFlags(), "out", "tag")...); err != nil {
				return err
			}
			return runSIF(cmd.Context(), g, o)
		},
	}
	o.addFlags(c, g)
	c.Flags().StringVar(&o.out, "out", defaultSIF, "write the SIF file to `FILE`")
	c.MarkFlagsMutuallyExclusive("out", "sif")
	return c
}

func (o *boxerOptions) addFlags(c *cobra.Command, g *globals) {
	c.Flags().StringVar(&o.stage, "stage", "", "the stage3 `FILE`")
	c.Flags().StringVar(&o.tag, "tag", "", "call the image `NAME[:VERSION]` (default: of the stage3's file name)")
	o.build.addFlags(c, g)
	_ = c.MarkFlagFilename("stage", "tar", "xz", "zst", "gz", "bz2") // it fails for flags that are not there
}

func runDocker(ctx context.Context, g *globals, o boxerOptions) error {
	if info, err := os.Stat(o.out); strings.HasSuffix(o.out, "/") || err == nil && info.IsDir() {
		o.build.ociLayout = o.out
	} else if o.out != "" {
		o.build.dockerArchive = o.out
	}
	reference, err := o.prepare("docker", "")
	if err != nil {
		return err
	}
	if err := runBuild(ctx, g, o.build, nil); err != nil {
		return err
	}
	if !o.build.writes() && !g.quiet && !g.json {
		say(g.err, "hint", fmt.Sprintf("the image %s is in the store alone: --out FILE writes it to a file for docker load and podman load", reference))
	}
	return nil
}

func runSIF(ctx context.Context, g *globals, o boxerOptions) error {
	if o.build.sif == "" {
		o.build.sif = o.out
	}
	_, err := o.prepare("singularity", "image: {entrypoint: [/bin/bash, --login]}\n")
	if err != nil {
		return err
	}
	return runBuild(ctx, g, o.build, nil)
}

// prepare makes the project of the options, and returns the reference of its image. more is what else its configuration says.
func (o *boxerOptions) prepare(target, more string) (reference string, err error) {
	if o.stage == "" {
		return "", usagef("--stage FILE says which stage3 the image is made of")
	}
	tag := o.tag
	if tag == "" {
		tag = boxerTag(filepath.Base(o.stage))
	}
	name, version, err := splitTag(tag)
	if err != nil {
		return "", err
	}
	stage, err := filepath.Abs(o.stage)
	if err != nil {
		return "", err
	}
	if _, err := os.Stat(stage); err != nil { // before a configuration is blamed that nobody has written
		return "", usagef("--stage %s: %w", o.stage, unwrapPath(err))
	}
	quoted, err := json.Marshal(stage) // which is YAML, too
	if err != nil {
		return "", err
	}
	config := fmt.Sprintf("type: container\nstage3: {file: %s}\nvalues: {target: {default: %s}}\n%s", quoted, target, more)
	tree, err := treeOf(name+"/"+configName, config)
	if err != nil {
		return "", err
	}
	o.build.plan.source = &projects.Source{FS: tree, Name: "made:", Version: version, Library: userPlaces()}
	return tag, nil
}

// configName is the file that makes a directory a project.
const configName = ".xtoo-config.yaml"

// treeOf is a tree of one file.
func treeOf(name, text string) (fs.FS, error) {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	w, err := z.Create(name)
	if err == nil {
		_, err = w.Write([]byte(text))
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, err
	}
	return zip.NewReader(bytes.NewReader(b.Bytes()), int64(b.Len()))
}

// splitTag divides NAME:VERSION. What NAME may be, the tree of projects says.
func splitTag(tag string) (name, version string, err error) {
	versionRule := regexp.MustCompile(`^[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*$`) // what both OCI layouts and registries allow
	name, version, has := strings.Cut(tag, ":")
	if name == "" || strings.HasPrefix(name, "/") || !fs.ValidPath(name) || has && (!versionRule.MatchString(version) || len(version) > 128) {
		return "", "", usagef("--tag %q: it is NAME or NAME:VERSION, as funtoo/boxer-generic_64:2022-06-16", tag)
	}
	return name, version, nil
}

// boxerTag makes a tag of the name of a stage3's file, as boxer's users give it: Funtoo's names and Gentoo's have a date.
func boxerTag(file string) string {
	funtoo := regexp.MustCompile(`^stage3-([a-z0-9_]+)-.*?-(\d{4}-\d{2}-\d{2})\.`)
	gentoo := regexp.MustCompile(`^stage3-([a-z0-9_-]+)-(\d{8}T\d{6}Z)\.`)
	if m := funtoo.FindStringSubmatch(file); m != nil {
		return "funtoo/boxer-" + m[1] + ":" + m[2]
	}
	if m := gentoo.FindStringSubmatch(file); m != nil {
		return "gentoo/boxer-" + m[1] + ":" + m[2]
	}
	name, _, _ := strings.Cut(strings.ToLower(file), ".")
	if name = strings.Trim(regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(name, "-"), "-"); name == "" {
		name = "stage3"
	}
	return "boxer/" + name
}
