package outputs

import (
	"context"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/atomicfile"
	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
)

// archiveVersion is part of what an archive is made from: it changes when the same image would give another file.
const archiveVersion = "1"

// OCIArchive writes each image as a tar file of an OCI layout that has it alone, under its tag.
type OCIArchive struct{ Place }

func (o *OCIArchive) kind() *plainKind {
	return &plainKind{
		Place: o.Place, output: projects.OutputOCIArchive, flag: "--oci-archive",
		made: func(p *projects.PlannedProject, img *engine.Image) digest.Digest {
			return engine.Key("oci-archive", archiveVersion, img.Manifest.Digest.String(), p.Project.Reference())
		},
		fill: func(ctx context.Context, p *product, to *atomicfile.File) error {
			return oci.WriteArchive(ctx, to, blobsOf(o.Store), engine.RefOf(*p.image))
		},
	}
}

// Check implements [engine.Output].
func (o *OCIArchive) Check(list []*projects.PlannedProject) error { return o.kind().check(list) }

// Write implements [engine.Output]. A file with other bytes is refused with errExists, unless it may be replaced.
func (o *OCIArchive) Write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	return o.kind().write(ctx, images, done)
}

// DockerArchive writes each image as a tar file that `docker load` takes.
type DockerArchive struct{ Place }

func (o *DockerArchive) kind() *plainKind {
	return &plainKind{
		Place: o.Place, output: projects.OutputDockerArchive, flag: "--docker-archive",
		made: func(p *projects.PlannedProject, img *engine.Image) digest.Digest {
			return engine.Key("docker-archive", archiveVersion, img.Config.Digest.String(), p.Label())
		},
		fill: o.fill,
	}
}

// Check implements [engine.Output]: it also refuses tags that docker has no name for.
func (o *DockerArchive) Check(list []*projects.PlannedProject) error {
	a := o.kind().asked()
	targets, err := a.targets(list)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if _, err := oci.DockerName(t.project.Project.Reference(), t.project.Platform()); err != nil {
			return fmt.Errorf("--docker-archive: project %s: %w", t.project.Label(), err)
		}
	}
	return a.check(list)
}

// Write implements [engine.Output]. A file with other bytes is refused with errExists, unless it may be replaced.
func (o *DockerArchive) Write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	return o.kind().write(ctx, images, done)
}

func (o *DockerArchive) fill(ctx context.Context, p *product, to *atomicfile.File) error {
	name, err := oci.DockerName(p.project.Project.Reference(), p.project.Platform())
	if err != nil {
		return err
	}
	data, err := documentOf(o.Store, p.image.Config)
	if err != nil {
		return err
	}
	config, err := oci.ParseConfig(data)
	if err != nil {
		return err
	}
	img := oci.DockerImage{Name: name, Config: data, Open: func(_ context.Context, d digest.Digest) (io.ReadCloser, error) { return o.Store.OpenLayer(d) }}
	for _, d := range config.RootFS.DiffIDs { // those of an image from scratch are not among its links
		l, ok := o.Store.Layer(d)
		if !ok {
			return fmt.Errorf("layer %s: %w", d, store.ErrNoLayer)
		}
		img.Layers = append(img.Layers, v1.Descriptor{Digest: d, Size: l.Size})
	}
	return oci.WriteDockerArchive(ctx, to, img)
}
