package engine

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/identity"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers/store"
	"xtoo/oci"
)

// Keep says what the images in a store refer to, for a cleaning. Of an image that is damaged it is what can still be known,
// and warn is told. Where something cannot be read, nothing is known of what it refers to: that is an error.
func Keep(ctx context.Context, s *store.Store, warn func(text string)) (store.Keep, error) {
	k := store.Keep{Blobs: map[digest.Digest]bool{}, Layers: map[digest.Digest]bool{}, Dirs: map[digest.Digest]bool{}}
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
		reached, configs, err := layout.Reach(ctx, r.Descriptor)
		for _, d := range reached {
			k.Blobs[d.Digest] = true
		}
		for _, diffIDs := range configs {
			for _, id := range diffIDs {
				k.Layers[id] = true
			}
			for _, id := range identity.ChainIDs(slices.Clone(diffIDs)) {
				k.Dirs[id] = true
			}
		}
		switch {
		case err == nil:
		case oci.IsDamage(err):
			warn(fmt.Sprintf("image %s of the store is damaged, and kept as far as it is known: build it again: %v", r.Name, err))
		default:
			return k, fmt.Errorf("image %s of the store: %w", r.Name, err)
		}
	}
	return k, nil
}
