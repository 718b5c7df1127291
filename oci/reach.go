package oci

import (
	"context"
	"fmt"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Reach lists everything that a manifest or index of the layout refers to, itself included, and the diff ids of the
// layers of its images. Documents are read and verified, layers are not.
func (l *Layout) Reach(ctx context.Context, d v1.Descriptor) (blobs []v1.Descriptor, diffIDs []digest.Digest, err error) {
	w := newWalker(l)
	if err := w.add(ctx, d); err != nil {
		return nil, nil, fmt.Errorf("layout %s: %w", l.dir, err)
	}
	for _, b := range w.seen {
		blobs = append(blobs, b)
		if b.MediaType != v1.MediaTypeImageConfig {
			continue
		}
		data, err := readBlob(ctx, l, b)
		if err != nil {
			return nil, nil, fmt.Errorf("layout %s: %w", l.dir, err)
		}
		cfg, err := ParseConfig(data)
		if err != nil {
			return nil, nil, fmt.Errorf("layout %s: config %s: %w", l.dir, b.Digest, err)
		}
		diffIDs = append(diffIDs, cfg.RootFS.DiffIDs...)
	}
	return blobs, diffIDs, nil
}
