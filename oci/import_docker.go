package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/containers/image/v5/docker/archive"
	"github.com/containers/image/v5/docker/reference"
	"github.com/containers/image/v5/pkg/blobinfocache/none"
	"github.com/containers/image/v5/types"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/streams"
)

// openDockerImage reads the documents of an image in a file that `docker save` or `skopeo copy` wrote. The format
// is what containers/image says it is; it bounds the documents that it reads. Only its source is used and none
// of its copying, so that no policy or configuration of the host is read.
func openDockerImage(ctx context.Context, r Reference, o ImportOptions) (_ *image, err error) {
	// Opened first so that a pipe in the file's place does not block, for the system's own words if it is not
	// there, and because the library refuses a path with a colon: it gets the open file instead, unpacked, with a limit
	// that the library does not have.
	f, done, err := openPlain(ctx, r.Path, o.TempDir)
	if err != nil {
		return nil, err
	}
	closers := []func() error{done}
	closeAll := func() error {
		var all error
		for _, c := range slices.Backward(closers) {
			all = errors.Join(all, c())
		}
		closers = nil
		return all
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, closeAll())
		}
	}()
	sys := &types.SystemContext{BigFilesTemporaryDir: o.TempDir}
	reader, err := archive.NewReader(sys, fmt.Sprintf("/proc/self/fd/%d", f.Fd()))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInvalid, err)
	}
	closers = append(closers, reader.Close)
	ref, err := chooseDocker(reader, r.Name)
	if err != nil {
		return nil, err
	}
	src, err := ref.NewImageSource(ctx, sys)
	if err != nil {
		return nil, err
	}
	closers = append(closers, src.Close)
	data, _, err := src.GetManifest(ctx, nil)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInvalid, err)
	}
	// The archive has no manifest: this one is made up from the list of layers, with diff ids as digests.
	manifest, err := parseManifest(data)
	if err != nil {
		return nil, err
	}
	blobs := SourceFunc(func(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
		blob, _, err := src.GetBlob(ctx, types.BlobInfo{Digest: d, Size: -1}, none.NoCache)
		return blob, err
	})
	if data, err = readBlob(ctx, blobs, manifest.Config); err != nil {
		return nil, err
	}
	config, err := ParseConfig(data)
	if err != nil {
		return nil, err
	}
	recompress := o.recompress
	return &image{
		id: manifest.Config.Digest, document: data, config: config, layers: manifest.Layers, close: closeAll,
		copyLayer: func(ctx context.Context, desc v1.Descriptor, diffID digest.Digest, sink BlobSink) (_ ImportedLayer, err error) {
			tar, err := blobs(ctx, desc.Digest)
			if err != nil {
				return ImportedLayer{}, err
			}
			defer func() { err = errors.Join(err, tar.Close()) }()
			// The stream is not compressed: its digest in the manifest is its diff id.
			checked := newDiffReader(ctx, streams.WithContext(ctx, tar), desc.Digest)
			defer checked.Close()
			var stored v1.Descriptor
			if recompress != nil {
				stored, err = recompress(ctx, checked)
			} else if stored, err = store(ctx, sink, checked); err == nil {
				stored.MediaType = v1.MediaTypeImageLayer
			}
			if err != nil {
				return ImportedLayer{}, err
			}
			return ImportedLayer{LayerRef: LayerRef{Descriptor: stored, DiffID: diffID}, Size: desc.Size}, nil
		},
	}, nil
}

// chooseDocker finds an image of the archive: by name and tag, by @ and its number, or the only one.
func chooseDocker(reader *archive.Reader, name string) (types.ImageReference, error) {
	images, err := reader.List()
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errInvalid, err)
	}
	if name == "" {
		if len(images) == 1 {
			return images[0][0], nil
		}
		return nil, withHint(ErrAmbiguous, "it has: "+listDocker(images))
	}
	notFound := withHint(fmt.Errorf("%w %q", errRefNotFound, name), "it has: "+listDocker(images))
	if at, ok := strings.CutPrefix(name, "@"); ok {
		n, err := strconv.Atoi(at)
		if err != nil || n < 0 || n >= len(images) {
			return nil, notFound
		}
		return images[n][0], nil
	}
	named, err := reference.ParseNormalizedNamed(name)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", errReference, name, err)
	}
	want := reference.TagNameOnly(named).String()
	for _, refs := range images {
		for _, ref := range refs {
			if have := ref.DockerReference(); have != nil && have.String() == want {
				return ref, nil
			}
		}
	}
	return nil, notFound
}

func listDocker(images [][]types.ImageReference) string {
	var names []string
	for i, refs := range images {
		for _, ref := range refs {
			if named := ref.DockerReference(); named != nil {
				names = append(names, reference.FamiliarString(named))
			} else {
				names = append(names, fmt.Sprintf("@%d", i))
			}
		}
	}
	return listOr(names, "no image")
}
