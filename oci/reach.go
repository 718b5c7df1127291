package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Reach lists everything that a manifest or index of the layout refers to, itself included, and the diff ids of the
// layers of its images, image by image. Documents are read and verified, layers are not. With an error for which
// [IsDamage] is true come those that are known all the same; with any other, nothing is known.
func (l *Layout) Reach(ctx context.Context, d v1.Descriptor) (blobs []v1.Descriptor, images [][]digest.Digest, err error) {
	w := newWalker(l)
	w.lenient = true
	if err := w.add(ctx, d); err != nil {
		return nil, nil, fmt.Errorf("layout %s: %w", l.dir, err)
	}
	for _, b := range w.list() {
		blobs = append(blobs, b)
		if b.MediaType != v1.MediaTypeImageConfig {
			continue
		}
		diffIDs, err := w.diffIDs(ctx, b)
		if err != nil {
			return nil, nil, fmt.Errorf("layout %s: %w", l.dir, err)
		}
		images = append(images, diffIDs)
	}
	if len(w.damages) > 0 {
		err = fmt.Errorf("layout %s: %w", l.dir, errors.Join(w.damages...))
	}
	return blobs, images, err
}

// diffIDs reads those of a config.
func (w *walker) diffIDs(ctx context.Context, d v1.Descriptor) ([]digest.Digest, error) {
	data, err := readBlob(ctx, w.src, d)
	if err != nil {
		return nil, w.met(err)
	}
	cfg, err := ParseConfig(data)
	if err != nil {
		return nil, w.met(fmt.Errorf("config %s: %w", d.Digest, err))
	}
	return cfg.RootFS.DiffIDs, nil
}

// IsDamage says whether an error is that of a document which is gone or is not what it should be, and not one of reading it.
func IsDamage(err error) bool {
	return errors.Is(err, fs.ErrNotExist) || errors.Is(err, errMismatch) || errors.Is(err, errInvalid)
}
