package sources

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"

	"xtoo/internal/engine"
	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/qemu"
)

// Image is the source of roots that start from an image in a layout or an archive.
type Image struct {
	// Store takes the layers.
	Store *store.Store
}

// Identify implements [engine.Source]. A layout is asked which image is meant; an archive, in which that would mean to
// decompress it, is known by its own digest, which is remembered.
func (s *Image) Identify(ctx context.Context, b *projects.Base, reading func()) (digest.Digest, error) {
	var id digest.Digest
	var err error
	if b.Kind == projects.BaseOCI {
		id, err = forPlatform(b, func(o oci.ImportOptions) (digest.Digest, error) {
			return reference(b).Resolve(ctx, o)
		}, oci.ImportOptions{})
	} else {
		id, _, err = fileDigest(ctx, s.Store, b.Path, reading)
	}
	if err != nil {
		return "", fmt.Errorf("%s: from: %w", b.Pos, err)
	}
	return engine.Key("from", string(b.Kind), b.Ref, id.String(), b.Arch.PlatformString()), nil
}

// reference is a root's `from`, its path absolute.
func reference(b *projects.Base) oci.Reference {
	return oci.Reference{Transport: string(b.Kind), Path: b.Path, Name: b.Ref}
}

// forPlatform calls f for the platform that is declared; else for the only one there is, or for this machine's where
// there are several.
func forPlatform[T any](b *projects.Base, f func(oci.ImportOptions) (T, error), o oci.ImportOptions) (T, error) {
	arch := b.Arch
	if arch.IsZero() {
		v, err := f(o)
		if !errors.Is(err, oci.ErrAmbiguous) {
			return v, err
		}
		arch = qemu.Host()
	}
	p := arch.Platform()
	o.Platform = &p
	return f(o)
}

// Look implements [engine.Source]. It reads the documents alone.
func (s *Image) Look(ctx context.Context, b *projects.Base) (engine.Material, error) {
	img, err := forPlatform(b, func(o oci.ImportOptions) (*oci.Imported, error) {
		return reference(b).Look(ctx, o)
	}, oci.ImportOptions{})
	if err != nil {
		return engine.Material{}, fmt.Errorf("%s: from: %w", b.Pos, err)
	}
	return material(img), nil
}

// material is what the documents of an image say.
func material(img *oci.Imported) engine.Material {
	m := engine.Material{Image: &img.Config, Extra: img.Extra, Created: time.Unix(0, 0)}
	if img.Config.Created != nil {
		m.Created = *img.Config.Created
	}
	return m
}

// Read implements [engine.Source]: it brings the layers into the store as they are.
func (s *Image) Read(ctx context.Context, b *projects.Base, r engine.Reading) (engine.Material, error) {
	tmp, err := s.Store.MakeTemp("import")
	if err != nil {
		return engine.Material{}, err
	}
	defer os.RemoveAll(tmp)
	img, err := forPlatform(b, func(o oci.ImportOptions) (*oci.Imported, error) {
		return reference(b).Import(ctx, blobSink{s.Store}, o)
	}, oci.ImportOptions{TempDir: tmp})
	if err != nil {
		return engine.Material{}, fmt.Errorf("%s: from: %w", b.Pos, err)
	}
	if len(img.Dropped) > 0 {
		r.Warn(fmt.Sprintf("%s: from %s: of the image's config, %s is not passed on", b.Pos, b.Text, strings.Join(img.Dropped, ", ")))
	}
	m := material(img)
	if isFuture(m.Created) {
		r.Warn(fmt.Sprintf("%s: from %s: it was created at %s, %s", b.Pos, b.Text, m.Created.Format(time.RFC3339), future))
	}
	var diffIDs []digest.Digest
	for _, l := range img.Layers {
		c, err := layers.CompressionOf(l.Descriptor.MediaType)
		if err != nil {
			return engine.Material{}, fmt.Errorf("%s: from: %w", b.Pos, err)
		}
		blob := store.Blob{Digest: l.Descriptor.Digest, Size: l.Descriptor.Size}
		if _, err := s.Store.RecordLayer(l.DiffID, l.Size, c, blob); err != nil {
			return engine.Material{}, err
		}
		diffIDs = append(diffIDs, l.DiffID)
	}
	// The chain ids name the directories: what a layer looks like may depend on what lies below.
	dirs := identity.ChainIDs(append([]digest.Digest(nil), diffIDs...))
	for i, d := range diffIDs {
		m.Layers = append(m.Layers, engine.Link{DiffID: d, Dir: dirs[i]})
	}
	return m, nil
}

// Found implements [engine.Source].
func (s *Image) Found(b *projects.Base, m engine.Material) (engine.Foundation, error) {
	arch := b.Arch // declared, and the image was chosen by it: it may say more, a subarch
	if m.Image == nil {
		return engine.Foundation{}, fmt.Errorf("%s: from %s: what is remembered of it is no image", b.Pos, b.Text)
	}
	if arch.IsZero() {
		var err error
		if arch, err = qemu.ByPlatform(m.Image.Architecture, m.Image.Variant); err != nil {
			return engine.Foundation{}, fmt.Errorf("%s: from %s: %w", b.Pos, b.Text, err)
		}
	}
	return engine.Foundation{Arch: arch, Layers: m.Layers, Created: m.Created, History: m.Image.History, Config: m.Image.Config, Extra: m.Extra}, nil
}

// blobSink lets an import write into the store.
type blobSink struct{ s *store.Store }

func (s blobSink) Create(ctx context.Context) (oci.BlobWriter, error) {
	w, err := s.s.NewBlob(ctx)
	if err != nil {
		return nil, err
	}
	return w, nil
}
