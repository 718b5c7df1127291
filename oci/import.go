package oci

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ImportOptions change how [Reference.Import] and [Reference.Resolve] work. The zero value works.
type ImportOptions struct {
	// baseDir is what relative paths count from; "" is the working directory.
	baseDir string

	// TempDir is where a compressed archive is unpacked while it is read; "" is the system's.
	TempDir string

	// Platform is the wanted platform. Nil takes the only one, whichever it is.
	Platform *v1.Platform

	// recompress stores a layer that comes as a plain tar stream in a docker-archive, and describes the blob
	// it made. It reads the stream to its end, where it gets an error instead of io.EOF if the content is not
	// what the image says; it must then store nothing. Nil stores such layers uncompressed.
	recompress func(ctx context.Context, tar io.Reader) (v1.Descriptor, error)
}

// An ImportedLayer is a layer that an import has stored.
type ImportedLayer struct {
	LayerRef

	// Size is the size of the uncompressed tar stream in bytes.
	Size int64
}

// Imported is an image from elsewhere.
type Imported struct {
	// id identifies the image: it is what [Reference.Resolve] gives.
	id digest.Digest

	// Config is the image's config. Its history has exactly one entry for each layer, besides those of empty
	// layers; where the image's own has not, it is replaced.
	Config v1.Image

	// Extra is what Config has no place for. Dropped names what of the image's config is in neither, sorted.
	Extra   Extra
	Dropped []string

	// Layers are the layers in the sink, lowest first. Their number and diff ids are those of Config.
	Layers []ImportedLayer
}

// resolveText says which image a reference stands for, without reading a layer: the digest of the manifest, or in
// a docker-archive, which has none, of the config. Equal digests mean equal images. The errors are those of
// [Reference.Import]. A compressed archive must be decompressed for this: who asks often remembers the answer.
func resolveText(ctx context.Context, ref string, o ImportOptions) (digest.Digest, error) {
	r, err := parseReference(ref, o.baseDir)
	if err != nil {
		return "", err
	}
	return r.Resolve(ctx, o)
}

// Resolve is [Reference.Resolve] for a reference that was parsed before. Its path may hold colons.
func (r Reference) Resolve(ctx context.Context, o ImportOptions) (digest.Digest, error) {
	img, err := openImage(ctx, r, o)
	if err != nil {
		return "", err
	}
	return img.id, img.close()
}

// Look reads the documents of an image and no layer: [Imported] without Layers. The errors are those of [Reference.Import].
func (r Reference) Look(ctx context.Context, o ImportOptions) (*Imported, error) {
	img, err := openImage(ctx, r, o)
	if err != nil {
		return nil, err
	}
	return &Imported{id: img.id, Config: img.config, Extra: img.extra, Dropped: img.dropped}, img.close()
}

// importText reads the image that ref (see parseReference) stands for and stores its layers in sink. Blobs are kept
// as they are; the digest of each and the diff id of what it unpacks to are verified before it is committed.
//
// What is not there is fs.ErrNotExist for the directory or file, errRefNotFound for the name in it, with the
// names that are there, and errPlatform for the platform. After an error, layers that were complete may stay in
// the sink. No network is used and no policy for signatures applies: the layers are verified against the
// manifest, and who put that into a local file is not asked.
func importText(ctx context.Context, ref string, sink BlobSink, o ImportOptions) (*Imported, error) {
	r, err := parseReference(ref, o.baseDir)
	if err != nil {
		return nil, err
	}
	return r.Import(ctx, sink, o)
}

// Import is [Reference.Import] for a reference that was parsed before. Its path may hold colons.
func (r Reference) Import(ctx context.Context, sink BlobSink, o ImportOptions) (_ *Imported, err error) {
	img, err := openImage(ctx, r, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, img.close()) }()
	out := &Imported{id: img.id, Config: img.config, Extra: img.extra, Dropped: img.dropped}
	done := map[digest.Digest]ImportedLayer{} // an image may hold a layer twice, most often the empty one
	for i, desc := range img.layers {
		diffID := img.config.RootFS.DiffIDs[i]
		layer, ok := done[desc.Digest]
		if !ok {
			layer, err = img.copyLayer(ctx, desc, diffID, sink)
			if err != nil {
				return nil, fmt.Errorf("import %s: layer %d: %w", r, i, err)
			}
			done[desc.Digest] = layer
		}
		if layer.DiffID != diffID {
			return nil, fmt.Errorf("import %s: layer %d: %w: one blob, two diff ids", r, i, errMismatch)
		}
		out.Layers = append(out.Layers, layer)
	}
	var sound bool
	if out.Config.History, sound = soundHistory(out.Config); !sound {
		out.Dropped = append(out.Dropped, "history")
	}
	return out, nil
}

// soundHistory gives a config's history where it speaks of as many layers as there are, and one that does where not;
// sound says that nothing is lost by it.
func soundHistory(c v1.Image) (_ []v1.History, sound bool) {
	full := 0
	for _, h := range c.History {
		if !h.EmptyLayer {
			full++
		}
	}
	if full == len(c.RootFS.DiffIDs) {
		return c.History, true
	}
	var history []v1.History
	for _, d := range c.RootFS.DiffIDs {
		history = append(history, v1.History{Created: c.Created, CreatedBy: "imported layer " + d.String()})
	}
	return history, len(c.History) == 0
}

// An image is an image from elsewhere, its documents read and checked, its layers still to be read.
type image struct {
	id       digest.Digest
	document []byte // the config as it is
	config   v1.Image
	extra    Extra
	// dropped names what of the config is in neither.
	dropped []string
	layers  []v1.Descriptor // as many as config has diff ids

	copyLayer func(ctx context.Context, desc v1.Descriptor, diffID digest.Digest, sink BlobSink) (ImportedLayer, error)
	close     func() error // removes temporary files
}

// openImage finds an image and reads its documents. The caller calls close.
func openImage(ctx context.Context, r Reference, o ImportOptions) (img *image, err error) {
	switch r.Transport {
	case "oci":
		img, err = openLayoutImage(ctx, dirReader(r.Path), r, o)
	case "oci-archive":
		img, err = openArchiveImage(ctx, r, o)
	default:
		img, err = openDockerImage(ctx, r, o)
	}
	if err != nil {
		return nil, fmt.Errorf("image %s: %w", r, err)
	}
	img.extra, img.dropped, err = parseExtra(img.document, img.config)
	if err == nil {
		err = img.check(o.Platform)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("image %s: %w", r, err), img.close())
	}
	return img, nil
}

// check compares what the documents say about each other.
func (i *image) check(want *v1.Platform) error {
	if n, m := len(i.layers), len(i.config.RootFS.DiffIDs); n != m {
		return fmt.Errorf("%w: %d layers in the manifest, %d in the config", errInvalid, n, m)
	}
	if want != nil && !samePlatform(i.config.Platform, *want, false) {
		return fmt.Errorf("%w %s: the image is for %s", errPlatform, FormatPlatform(*want), FormatPlatform(i.config.Platform))
	}
	return nil
}
