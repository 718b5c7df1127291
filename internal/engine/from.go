package engine

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"

	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/qemu"
)

// identifyImage says which image a root's `from` stands for. A layout is asked; an archive, in which that would mean to
// decompress it, is known by its own digest, which is remembered.
func (b *build) identifyImage(ctx context.Context, r *projects.Base) (base, error) {
	var id digest.Digest
	var err error
	if r.Kind == projects.BaseOCI {
		id, err = forPlatform(r, func(o oci.ImportOptions) (digest.Digest, error) {
			return reference(r).Resolve(ctx, o)
		}, oci.ImportOptions{})
	} else {
		id, _, err = b.o.Store.FileDigest(ctx, r.Path)
	}
	if err != nil {
		return base{}, fmt.Errorf("%s: from: %w", r.Pos, err)
	}
	return base{key: keyOf("from", string(r.Kind), r.Ref, id.String(), r.Arch.PlatformString())}, nil
}

// reference is a root's `from`, its path absolute.
func reference(r *projects.Base) oci.Reference {
	return oci.Reference{Transport: string(r.Kind), Path: r.Path, Name: r.Ref}
}

// forPlatform calls f for the platform that is declared; else for the only one there is, or for this machine's where
// there are several.
func forPlatform[T any](r *projects.Base, f func(oci.ImportOptions) (T, error), o oci.ImportOptions) (T, error) {
	arch := r.Arch
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

// importImage brings the layers of a root's image into the store.
func (b *build) importImage(ctx context.Context, r *projects.Base) (baseRecord, error) {
	tmp, err := b.o.Store.MakeTemp("import")
	if err != nil {
		return baseRecord{}, err
	}
	defer b.discard(ctx, tmp)
	img, err := forPlatform(r, func(o oci.ImportOptions) (*oci.Imported, error) {
		return reference(r).Import(ctx, blobSink{b.o.Store}, o)
	}, oci.ImportOptions{TempDir: tmp})
	if err != nil {
		return baseRecord{}, fmt.Errorf("%s: from: %w", r.Pos, err)
	}
	rec := baseRecord{Config: &img.Config}
	for _, l := range img.Layers {
		c, err := layers.CompressionOf(l.Descriptor.MediaType)
		if err != nil {
			return baseRecord{}, fmt.Errorf("%s: from: %w", r.Pos, err)
		}
		blob := store.Blob{Digest: l.Descriptor.Digest, Size: l.Descriptor.Size}
		if _, err := b.o.Store.RecordLayer(l.DiffID, l.Size, c, blob); err != nil {
			return baseRecord{}, err
		}
		rec.DiffIDs = append(rec.DiffIDs, l.DiffID)
	}
	return rec, nil
}

// imageChain is the chain of an image from elsewhere.
func (b *build) imageChain(r *projects.Base, rec baseRecord) (*chain, error) {
	img := rec.Config
	arch := r.Arch // declared, and the image was chosen by it: it may say more, a subarch
	if arch.IsZero() {
		var err error
		if arch, err = qemu.ByPlatform(img.Architecture, img.Variant); err != nil {
			return nil, fmt.Errorf("%s: from %s: %w", r.Pos, r.Text, err)
		}
	}
	created := time.Unix(0, 0)
	if img.Created != nil {
		created = *img.Created
	}
	c := &chain{arch: arch, epoch: b.epoch(created), config: img.Config, history: img.History}
	// The chain ids name the directories: what a layer looks like may depend on what lies below.
	ids := identity.ChainIDs(append([]digest.Digest(nil), rec.DiffIDs...))
	for i, d := range rec.DiffIDs {
		c.links = append(c.links, link{diffID: d, dir: ids[i]})
	}
	c.key = contentBase(c)
	return c, nil
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
