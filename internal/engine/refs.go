package engine

import (
	"context"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/oci"
	"xtoo/projects"
	"xtoo/qemu"
)

// image makes the images of one project, one for each platform, adds them to images, and returns what the tag
// stands for: the image, or an index where the root has several platforms, even if one alone is built.
func (b *build) image(
	ctx context.Context, platforms []*projects.PlannedProject, chains map[*projects.PlannedProject]*chain, images map[*projects.PlannedProject]*oci.Image,
) (oci.Ref, error) {
	var results []ImageResult
	for _, p := range platforms {
		img, err := b.assemble(ctx, chains[p])
		if err != nil {
			return oci.Ref{}, err
		}
		images[p] = img
		results = append(results, ImageResult{
			Project: p.Project.Tag, Manifest: img.Descriptor.Digest, Config: img.ConfigDescriptor.Digest,
			Layers: len(img.Layers), Platform: oci.FormatPlatform(chains[p].arch.Platform()),
		})
		if p.Selected {
			b.o.Events(Event{Kind: EventImage, Project: p.Project.Tag, Platform: p.Platform(), Digest: img.Descriptor.Digest})
		}
	}
	first := platforms[0]
	ref := refOf(first.Project.Tag, images[first])
	if first.Several {
		var err error
		if ref, err = b.index(ctx, platforms, chains, images); err != nil {
			return oci.Ref{}, err
		}
		for i := range results {
			results[i].Index = ref.Descriptor.Digest
		}
		if first.Selected {
			b.o.Events(Event{Kind: EventImage, State: StateIndex, Project: first.Project.Tag, Digest: ref.Descriptor.Digest})
		}
	}
	if first.Selected {
		b.result.Images = append(b.result.Images, results...)
	}
	return ref, nil
}

// index makes the index of a project's images and stores it.
func (b *build) index(
	ctx context.Context, platforms []*projects.PlannedProject, chains map[*projects.PlannedProject]*chain, images map[*projects.PlannedProject]*oci.Image,
) (oci.Ref, error) {
	var entries, reached []v1.Descriptor
	for _, p := range platforms {
		entry, platform := images[p].Descriptor, indexPlatform(p, chains[p].arch)
		entry.Platform = &platform
		entries = append(entries, entry)
		reached = append(append(reached, images[p].Descriptor), images[p].Blobs()...)
	}
	data, desc, err := oci.BuildIndex(entries, nil)
	if err != nil {
		return oci.Ref{}, err
	}
	if _, err := b.o.Store.PutBlob(ctx, data); err != nil {
		return oci.Ref{}, err
	}
	return oci.Ref{Name: platforms[0].Project.Tag, Descriptor: desc, Blobs: reached}, nil
}

// indexPlatform is the platform of an image in its index. Tools choose by it, and on an amd64 machine most of them choose
// none but the image without a variant: where a root has one stage3 for amd64, its image is that one, whatever
// it needs. Its config says so.
func indexPlatform(p *projects.PlannedProject, a qemu.Arch) v1.Platform {
	platform := a.Platform()
	if a.Architecture != "amd64" {
		return platform
	}
	for _, other := range p.Project.Root().Bases {
		if other != p.Base && (other.Arch.IsZero() || other.Arch.Architecture == a.Architecture) {
			return platform
		}
	}
	platform.Variant = ""
	return platform
}

// refOf is a reference of a layout, with all that it reaches.
func refOf(tag string, img *oci.Image) oci.Ref {
	d := img.Descriptor
	return oci.Ref{Name: tag, Descriptor: v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, Blobs: img.Blobs()}
}
