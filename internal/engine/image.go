package engine

import (
	"archive/tar"
	"context"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
)

// defaultPath is the PATH of images and scripts, as stage3s have it in etc/profile.
const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/opt/bin"

// finish puts a project's image settings onto its parent's.
func (b *build) finish(p *projects.PlannedProject, c *chain) (*chain, error) {
	below := c.config
	if p.Parent == nil && p.Base.Kind == projects.BaseStage3 {
		below = v1.ImageConfig{Env: []string{"PATH=" + defaultPath}, Cmd: []string{"/bin/sh"}}
	}
	cfg, err := oci.Merge(below, settingsOf(p.Image))
	if err != nil {
		return nil, fmt.Errorf("%s: image: %w", p.Project.Pos, err)
	}
	n := *c
	n.config = cfg
	return &n, nil
}

// settingsOf are a project's image settings in the terms of the image specification.
func settingsOf(s projects.ImageSettings) oci.Settings {
	return oci.Settings{
		Entrypoint: s.Entrypoint, Cmd: s.Cmd, User: s.User, WorkingDir: s.WorkDir, StopSignal: s.StopSignal,
		Env: s.Env, Labels: s.Labels, Ports: s.Ports, Volumes: s.Volumes,
	}
}

// assemble makes the config and manifest of a chain and stores them. Layers that the store has with another
// compression only are compressed again.
func (b *build) assemble(ctx context.Context, c *chain) (*oci.Image, error) {
	spec := oci.ImageSpec{
		Platform: c.arch.Platform(), Created: c.epoch, Config: c.config, History: c.history,
	}
	for _, l := range c.links {
		layer, err := b.o.Store.EnsureBlob(ctx, l.diffID, b.o.Compression, b.o.Jobs)
		if err != nil {
			return nil, err
		}
		spec.Layers = append(spec.Layers, oci.LayerRef{Descriptor: layer.Descriptor(b.o.Compression), DiffID: l.diffID})
	}
	if len(spec.Layers) == 0 {
		if err := b.addEmptyLayer(ctx, &spec); err != nil {
			return nil, err
		}
	}
	img, err := oci.Build(spec)
	if err != nil {
		return nil, err
	}
	for _, doc := range [][]byte{img.Config, img.Manifest} {
		if _, err := b.o.Store.PutBlob(ctx, doc); err != nil {
			return nil, err
		}
	}
	return img, nil
}

// addEmptyLayer gives an image from scratch that has no layer yet the one layer that the specification wants:
// a tar stream that holds nothing. (image-spec, manifest.md, "layers")
func (b *build) addEmptyLayer(ctx context.Context, spec *oci.ImageSpec) error {
	w, err := b.o.Store.NewLayer(ctx, b.o.Compression, b.o.Jobs)
	if err != nil {
		return err
	}
	defer w.Abort()
	if err := tar.NewWriter(w).Close(); err != nil {
		return err
	}
	l, err := w.Commit()
	if err != nil {
		return err
	}
	spec.Layers = []oci.LayerRef{{Descriptor: l.Descriptor(b.o.Compression), DiffID: l.DiffID}}
	spec.History = append(slices.Clone(spec.History), v1.History{Created: &spec.Created, CreatedBy: "xtoo scratch"})
	return nil
}

// Keep says what the images in a store refer to, for a cleaning.
func Keep(ctx context.Context, s *store.Store) (store.Keep, error) {
	k := store.Keep{Blobs: map[digest.Digest]bool{}, Layers: map[digest.Digest]bool{}}
	layout, err := oci.CreateLayout(ctx, s.LayoutDir()) // a store that has built nothing yet has none
	if err != nil {
		return k, err
	}
	refs, err := layout.Refs()
	if err != nil {
		return k, err
	}
	for _, r := range refs {
		if err := keepImage(ctx, layout, r.Descriptor, k); err != nil {
			return k, fmt.Errorf("image %s of the store: %w", r.Name, err)
		}
	}
	return k, nil
}

func keepImage(ctx context.Context, layout *oci.Layout, d v1.Descriptor, k store.Keep) error {
	reached, diffIDs, err := layout.Reach(ctx, d)
	if err != nil {
		return err
	}
	for _, d := range reached {
		k.Blobs[d.Digest] = true
	}
	for _, id := range diffIDs {
		k.Layers[id] = true
	}
	return nil
}
