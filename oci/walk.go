package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// readBlob reads a document from a source and verifies its size and digest.
func readBlob(ctx context.Context, src BlobSource, d v1.Descriptor) ([]byte, error) {
	if err := checkDescriptor(d); err != nil {
		return nil, err
	}
	if d.Size > maxDocument {
		return nil, fmt.Errorf("blob %s: %w: a document of %d bytes", d.Digest, errInvalid, d.Size)
	}
	r, err := src.Open(ctx, d.Digest)
	if err != nil {
		return nil, fmt.Errorf("open blob %s: %w", d.Digest, err)
	}
	data, err := readDocument(newVerifier(r, d))
	return data, errors.Join(err, r.Close())
}

// A walker collects what descriptors reach.
type walker struct {
	src  BlobSource
	seen map[digest.Digest]v1.Descriptor

	// subjects follows the subject of manifests, where it is there.
	subjects bool

	// opaque is set when something was met that may refer to blobs in a way that is not known here.
	opaque bool

	// lenient: documents that are damaged are noted, and the walk goes on.
	lenient bool
	damages []error
}

// met is the error of a walk that has met one.
func (w *walker) met(err error) error {
	if w.lenient && IsDamage(err) {
		w.damages = append(w.damages, err)
		return nil
	}
	return err
}

func newWalker(src BlobSource) *walker {
	return &walker{src: src, seen: map[digest.Digest]v1.Descriptor{}}
}

// add collects d and everything below it. What was met before is not read again, so that an index which names
// the same thing many times costs no more than once.
func (w *walker) add(ctx context.Context, d v1.Descriptor) error { return w.walk(ctx, d, 0) }

func (w *walker) walk(ctx context.Context, d v1.Descriptor, depth int) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if depth > maxNesting {
		return fmt.Errorf("blob %s: %w: indexes nested deeper than %d", d.Digest, errInvalid, maxNesting)
	}
	if met, ok := w.seen[d.Digest]; ok {
		if met.Size != d.Size {
			return fmt.Errorf("blob %s: %w: stated with %d and with %d bytes", d.Digest, errInvalid, met.Size, d.Size)
		}
		return nil
	}
	if err := checkDescriptor(d); err != nil {
		return err
	}
	w.seen[d.Digest] = d
	switch {
	case isIndex(d.MediaType):
		data, err := readBlob(ctx, w.src, d)
		if err != nil {
			return w.met(err)
		}
		index, err := parseIndex(data)
		if err != nil {
			return w.met(fmt.Errorf("blob %s: %w", d.Digest, err))
		}
		for _, m := range index.Manifests {
			if err := w.walk(ctx, m, depth+1); err != nil {
				return err
			}
		}
	case isManifest(d.MediaType):
		return w.manifest(ctx, d, depth)
	default:
		w.opaque = true
	}
	return nil
}

func (w *walker) manifest(ctx context.Context, d v1.Descriptor, depth int) error {
	data, err := readBlob(ctx, w.src, d)
	if err != nil {
		return w.met(err)
	}
	m, err := parseAnyManifest(data)
	if err != nil {
		return w.met(fmt.Errorf("blob %s: %w", d.Digest, err))
	}
	for _, b := range append([]v1.Descriptor{m.Config}, m.Layers...) {
		if met, ok := w.seen[b.Digest]; ok && met.Size != b.Size {
			return fmt.Errorf("blob %s: %w: stated with %d and with %d bytes", b.Digest, errInvalid, met.Size, b.Size)
		} else if !ok {
			w.seen[b.Digest] = b
		}
	}
	if w.subjects && m.Subject != nil {
		if err := w.walk(ctx, *m.Subject, depth+1); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

// list gives what was collected, by digest.
func (w *walker) list() []v1.Descriptor {
	return slices.SortedFunc(maps.Values(w.seen), func(a, b v1.Descriptor) int {
		return strings.Compare(string(a.Digest), string(b.Digest))
	})
}
