package engine

import (
	"context"
	"sync"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/oci"
	"xtoo/projects"
)

// walk builds every project of the plan and puts its image together.
func (b *build) walk(ctx context.Context) (map[*projects.PlannedProject]*Image, error) {
	var mu sync.Mutex
	images := make(map[*projects.PlannedProject]*Image, len(b.plan.Projects))
	err := b.visit(ctx, visitor{
		base: func(ctx context.Context, p *projects.PlannedProject, st *baseState) (*chain, error) {
			if st.chain == nil {
				if err := b.read(ctx, st, b.hasScripts(p.Base)); err != nil {
					return nil, err
				}
			}
			b.warnLayers(p.Base, st.chain)
			return st.chain, nil
		},
		node:  b.buildNode,
		check: b.buildCheck,
		done: func(ctx context.Context, p *projects.PlannedProject, c *chain) error {
			img, err := b.assemble(ctx, p, c)
			if err != nil {
				return imageFailed(p, err)
			}
			mu.Lock()
			defer mu.Unlock()
			images[p] = img
			return nil
		},
	})
	return images, err
}

// emit gives the images their tags in the store, and writes everything that was asked for from them.
func (b *build) emit(ctx context.Context, images map[*projects.PlannedProject]*Image) error {
	var refs []oci.Ref
	var asked []Image
	for _, platforms := range b.byProject(images) {
		ref, err := b.tag(ctx, platforms)
		if err != nil {
			return imageFailed(platforms[0].Project, err)
		}
		refs = append(refs, ref)
		if platforms[0].Project.Selected {
			for _, img := range platforms {
				asked = append(asked, *img)
			}
		}
	}
	err := b.o.Store.UpdateIndex(ctx, func(old []byte) ([]byte, error) { return oci.EditIndex(old, refs, nil) })
	if err != nil {
		return err
	}
	for _, o := range b.o.Outputs {
		if err := o.Write(ctx, asked, b.wrote); err != nil {
			return err
		}
	}
	return nil
}

// byProject puts together what was built for one project: an image for each platform.
func (b *build) byProject(images map[*projects.PlannedProject]*Image) [][]*Image {
	var out [][]*Image
	for _, p := range b.plan.Projects { // one after the other there
		if n := len(out); n > 0 && out[n-1][0].Project.Project == p.Project {
			out[n-1] = append(out[n-1], images[p])
			continue
		}
		out = append(out, []*Image{images[p]})
	}
	return out
}

// tag says what a project's tag stands for: its image, or an index where the root has several platforms, even if one
// alone is built.
func (b *build) tag(ctx context.Context, platforms []*Image) (oci.Ref, error) {
	first := platforms[0].Project
	ref := TagOf(*platforms[0])
	if first.Several {
		if err := b.index(ctx, platforms); err != nil {
			return oci.Ref{}, err
		}
		ref = TagOf(derefs(platforms)...)
	}
	if !first.Selected {
		return ref, nil
	}
	for _, img := range platforms {
		p := img.Project
		r := ImageResult{
			Project: p.Project.Tag, Manifest: img.Manifest.Digest, Config: img.Config.Digest,
			Layers: len(img.layers), Platform: oci.FormatPlatform(img.Arch.Platform()),
		}
		if img.index != nil {
			r.Index = img.index.Digest
		}
		b.result.Images = append(b.result.Images, r)
		b.o.Events(Event{Kind: EventImage, Project: p.Project.Tag, Platform: p.Platform(), Digest: img.Manifest.Digest})
	}
	if first.Several {
		b.o.Events(Event{Kind: EventImage, State: StateIndex, Project: first.Project.Tag, Digest: ref.Descriptor.Digest})
	}
	return ref, nil
}

func derefs(list []*Image) []Image {
	out := make([]Image, len(list))
	for i, img := range list {
		out[i] = *img
	}
	return out
}

// RefOf is the reference to one image under its project's tag, with all that it reaches, even if the tag has several platforms.
func RefOf(img Image) oci.Ref {
	d := img.Manifest
	return oci.Ref{
		Name: img.Project.Project.Reference(), Descriptor: v1.Descriptor{MediaType: d.MediaType, Digest: d.Digest, Size: d.Size}, Blobs: img.blobs(),
	}
}

// TagOf is the reference that a project's images, one for each platform, stand under in a layout, with all that it reaches.
func TagOf(platforms ...Image) oci.Ref {
	first := platforms[0]
	if first.index == nil {
		return RefOf(first)
	}
	ref := oci.Ref{Name: first.Project.Project.Tag, Descriptor: *first.index}
	for _, img := range platforms {
		ref.Blobs = append(append(ref.Blobs, img.Manifest), img.blobs()...)
	}
	return ref
}

// wrote tells of an output.
func (b *build) wrote(w Written) {
	state := "unchanged"
	if w.Changed {
		state = "written"
	}
	b.result.Outputs = append(b.result.Outputs, OutputResult{Project: w.Project, Platform: w.Platform, Path: w.Path, Digest: w.Digest, State: state})
	b.o.Events(Event{
		Kind: EventWritten, Project: w.Project, Platform: w.Platform, Path: w.Path, State: state, Digest: w.Digest, Bytes: w.Bytes,
	})
}
