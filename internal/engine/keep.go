package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers/store"
	"xtoo/oci"
)

// Keep says what the images in a store refer to, for a cleaning.
func Keep(ctx context.Context, s *store.Store) (store.Keep, error) {
	k := store.Keep{Blobs: map[digest.Digest]bool{}, Layers: map[digest.Digest]bool{}}
	layout, err := oci.OpenLayout(s.LayoutDir())
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, oci.ErrNotLayout) {
		if _, serr := os.Lstat(filepath.Join(s.LayoutDir(), v1.ImageIndexFile)); errors.Is(serr, fs.ErrNotExist) {
			return k, nil // a store that has built nothing yet
		}
	}
	if err != nil {
		return k, err
	}
	refs, err := layout.Refs()
	if err != nil {
		return k, err
	}
	for _, r := range refs {
		reached, diffIDs, err := layout.Reach(ctx, r.Descriptor)
		if err != nil {
			return k, fmt.Errorf("image %s of the store: %w", r.Name, err)
		}
		for _, d := range reached {
			k.Blobs[d.Digest] = true
		}
		for _, id := range diffIDs {
			k.Layers[id] = true
		}
	}
	return k, nil
}
