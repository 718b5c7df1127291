package engine

import (
	"archive/tar"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/qemu"
)

// assemble makes the config and manifest of a chain and stores them, unless the store remembers that it did. Layers
// that the store has with another compression only are compressed again.
func (b *build) assemble(ctx context.Context, p *projects.PlannedProject, c *chain) (*Image, error) {
	img := &Image{Project: p, Links: c.links(), Arch: c.arch, Created: c.epoch}
	key, err := b.imageKey(c)
	if err != nil {
		return nil, err
	}
	var rec imageRecord
	if b.o.Store.Get(kindImage, key, &rec) && b.haveBlobs(&rec) {
		b.fill(img, &rec)
		return img, nil
	}
	made, err := b.putTogether(ctx, c, img.Links)
	if err != nil {
		return nil, err
	}
	rec = imageRecord{Manifest: blobOf(made.Descriptor), Config: blobOf(made.ConfigDescriptor)}
	for _, d := range made.Layers {
		rec.Layers = append(rec.Layers, blobOf(d))
	}
	b.fill(img, &rec)
	// Whoever keeps the manifest keeps all that it reaches.
	refs := store.Refs{Blobs: []digest.Digest{rec.Manifest.Digest}, Records: c.records(p)}
	return img, b.o.Store.Put(kindImage, key, refs, rec)
}

func blobOf(d v1.Descriptor) store.Blob { return store.Blob{Digest: d.Digest, Size: d.Size} }

// fill makes the descriptors of an image.
func (b *build) fill(img *Image, rec *imageRecord) {
	describe := func(mediaType string, blob store.Blob) v1.Descriptor {
		return v1.Descriptor{MediaType: mediaType, Digest: blob.Digest, Size: blob.Size}
	}
	img.Manifest = describe(v1.MediaTypeImageManifest, rec.Manifest)
	img.Config = describe(v1.MediaTypeImageConfig, rec.Config)
	img.layers = make([]v1.Descriptor, len(rec.Layers))
	for i, l := range rec.Layers {
		img.layers[i] = describe(b.o.Compression.MediaType(), l)
	}
}

// imageVersion changes when the same chain would make other documents.
const imageVersion = "1"

// imageKey is over everything that an image is put together from.
func (b *build) imageKey(c *chain) (digest.Digest, error) {
	config, err := json.Marshal(c.config)
	if err != nil {
		return "", err
	}
	// The key of the chain is over the nodes and their scripts, which the history speaks of; its content is over the layers.
	return Key("image", imageVersion, c.key.String(), c.content.digest().String(), c.found.String(), string(config), string(b.o.Compression)), nil
}

func (b *build) haveBlobs(rec *imageRecord) bool {
	return b.haveBlob(rec.Manifest) && b.haveBlob(rec.Config) &&
		!slices.ContainsFunc(rec.Layers, func(l store.Blob) bool { return !b.haveBlob(l) })
}

// haveBlob says whether the store has a blob. It looks once: no blob goes while a build runs.
func (b *build) haveBlob(blob store.Blob) bool {
	if _, ok := b.blobs.Load(blob); ok {
		return true
	}
	if !b.o.Store.HasBlob(blob.Digest, blob.Size) {
		return false
	}
	b.blobs.Store(blob, true)
	return true
}

// putTogether makes the documents.
func (b *build) putTogether(ctx context.Context, c *chain, links []Link) (*oci.Image, error) {
	spec := oci.ImageSpec{Platform: c.arch.Platform(), Created: c.epoch, Config: c.config, Extra: c.extra, History: c.histories()}
	for _, l := range links {
		layer, err := b.o.Store.EnsureBlob(ctx, l.DiffID, b.o.Compression, b.o.Jobs)
		if err != nil {
			return nil, err
		}
		spec.Layers = append(spec.Layers, oci.LayerRef{Descriptor: layer.Descriptor(b.o.Compression), DiffID: l.DiffID})
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

// index makes the index of a project's images and stores it.
func (b *build) index(ctx context.Context, images []*Image) error {
	var entries []v1.Descriptor
	for _, img := range images {
		entry, platform := img.Manifest, indexPlatform(img.Project, img.Arch)
		entry.Platform = &platform
		entries = append(entries, entry)
	}
	data, desc, err := oci.BuildIndex(entries, nil)
	if err != nil {
		return err
	}
	if _, err := b.o.Store.PutBlob(ctx, data); err != nil {
		return err
	}
	for _, img := range images {
		img.index = &desc
	}
	return nil
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

// imageFailed says which project's image an error is about.
func imageFailed(p *projects.PlannedProject, err error) error {
	return fmt.Errorf("image of project %s: %w", p.Project.Tag, err)
}
