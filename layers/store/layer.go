package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers"
)

// A Layer is what the store knows of a layer.
type Layer struct {
	DiffID digest.Digest `json:"diff_id"`
	// Size of the uncompressed tar stream in bytes.
	Size int64 `json:"size"`
	// Blobs that hold the layer, by compression.
	Blobs map[layers.Compression]Blob `json:"blobs"`
}

// A Blob is a file of the layout.
type Blob struct {
	Digest digest.Digest `json:"digest"`
	Size   int64         `json:"size"`
}

// Descriptor returns the descriptor of the layer's blob with that compression, the zero one if there is
// none: see [Store.EnsureBlob].
func (l Layer) Descriptor(c layers.Compression) v1.Descriptor {
	b, ok := l.Blobs[c]
	if !ok {
		return v1.Descriptor{}
	}
	return v1.Descriptor{MediaType: c.MediaType(), Digest: b.Digest, Size: b.Size}
}

// Layer returns what is known of a layer, less the blobs that are gone. It is not found if none is left.
func (s *Store) Layer(diffID digest.Digest) (Layer, bool) {
	var l Layer
	if diffID.Validate() != nil || !s.Get(kindLayer, diffID, &l) || l.DiffID != diffID {
		return Layer{}, false
	}
	for c, b := range l.Blobs {
		if b.Digest.Validate() != nil || !s.HasBlob(b.Digest, b.Size) {
			delete(l.Blobs, c)
		}
	}
	return l, len(l.Blobs) > 0
}

// ErrNoLayer says that no blob of a layer is left, or that its record is gone.
var ErrNoLayer = errors.New("the store does not have it")

// KnowsLayer says whether there is a record of a layer, without reading it: a power cut may have lost or emptied it.
// For those who have seen a blob of the layer already.
func (s *Store) KnowsLayer(diffID digest.Digest) bool {
	fi, err := os.Stat(s.recordPath(kindLayer, diffID))
	return err == nil && fi.Size() > 0
}

// OpenLayer opens the tar stream of a layer. Its digest is checked when the stream is read to its end.
// The caller closes it.
func (s *Store) OpenLayer(diffID digest.Digest) (io.ReadCloser, error) {
	l, ok := s.Layer(diffID)
	if !ok {
		return nil, fmt.Errorf("open layer %s: %w", diffID, ErrNoLayer)
	}
	for _, c := range []layers.Compression{layers.None, layers.Zstd, // the cheapest to read first
		layers.Gzip} {
		b, ok := l.Blobs[c]
		if !ok {
			continue
		}
		f, err := s.OpenBlob(b.Digest)
		if err != nil {
			return nil, fmt.Errorf("open layer %s: %w", diffID, err)
		}
		d, _, err := layers.NewDecompressor(f)
		if err != nil {
			_ = f.Close() // read only
			return nil, fmt.Errorf("open layer %s: %w", diffID, damaged(s.blobPath(b.Digest), err))
		}
		return &verifyReader{ReadCloser: &both{d, f}, v: diffID.Verifier(), what: "layer " + diffID.String(), path: s.blobPath(b.Digest)}, nil
	}
	return nil, fmt.Errorf("open layer %s: %w", diffID, ErrNoLayer)
}

// both closes a decompressor and the file below it.
type both struct {
	io.ReadCloser
	f io.Closer
}

func (b *both) Close() error {
	err := b.ReadCloser.Close()
	if ferr := b.f.Close(); err == nil {
		err = ferr
	}
	return err
}

// A LayerWriter takes the tar stream of a layer, computes its diff id and compresses it into a blob.
type LayerWriter struct {
	s    *Store
	c    layers.Compression
	diff hash.Hash
	size int64
	blob *BlobWriter
	z    io.WriteCloser
}

// NewLayer starts a layer whose blob is compressed with c on up to jobs cores.
// The caller ends it with Commit or Abort.
func (s *Store) NewLayer(ctx context.Context, c layers.Compression, jobs int) (*LayerWriter, error) {
	blob, err := s.NewBlob(ctx)
	if err != nil {
		return nil, err
	}
	z, err := layers.NewCompressor(blob, c, jobs)
	if err != nil {
		blob.Abort()
		return nil, err
	}
	return &LayerWriter{s: s, c: c, diff: sha256.New(), blob: blob, z: z}, nil
}

// Write implements io.Writer.
func (w *LayerWriter) Write(p []byte) (int, error) {
	w.diff.Write(p)
	n, err := w.z.Write(p)
	w.size += int64(n)
	return n, err
}

// Commit makes the blob part of the store and records the layer.
func (w *LayerWriter) Commit() (Layer, error) {
	if err := w.z.Close(); err != nil {
		w.blob.Abort()
		return Layer{}, fmt.Errorf("compress a layer: %w", err)
	}
	d, size, err := w.blob.Commit()
	if err != nil {
		return Layer{}, err
	}
	diffID := digest.NewDigest(digest.SHA256, w.diff)
	return w.s.recordLayer(diffID, w.size, w.c, Blob{Digest: d, Size: size})
}

// Abort gives the layer up. After Commit it does nothing.
func (w *LayerWriter) Abort() {
	_ = w.z.Close() // only to end its goroutines: the blob is thrown away
	w.blob.Abort()
}

// recordLayer adds a blob to what is known of a layer. Two builds that add different compressions of one
// layer at the same instant can lose one of the two entries; it is then compressed again when it is needed.
func (s *Store) recordLayer(diffID digest.Digest, size int64, c layers.Compression, b Blob) (Layer, error) {
	l, ok := s.Layer(diffID)
	if !ok {
		l = Layer{DiffID: diffID, Size: size, Blobs: map[layers.Compression]Blob{}}
	}
	if l.Blobs[c] == b {
		return l, nil
	}
	l.Blobs[c] = b
	return l, s.Put(kindLayer, diffID, Refs{Layers: []digest.Digest{diffID}}, l)
}

// RecordLayer says that a blob which is in the store holds a layer. The caller has verified that it does: images
// from elsewhere keep their blobs as they are.
func (s *Store) RecordLayer(diffID digest.Digest, size int64, c layers.Compression, b Blob) (Layer, error) {
	if !s.HasBlob(b.Digest, b.Size) {
		return Layer{}, fmt.Errorf("record layer %s: the store has no blob %s of %d bytes", diffID, b.Digest, b.Size)
	}
	return s.recordLayer(diffID, size, c, b)
}

// EnsureBlob compresses a layer again if the store has it with other compressions only.
func (s *Store) EnsureBlob(ctx context.Context, diffID digest.Digest, c layers.Compression, jobs int) (Layer, error) {
	l, ok := s.Layer(diffID)
	if !ok {
		return Layer{}, fmt.Errorf("layer %s: %w", diffID, ErrNoLayer)
	}
	if _, ok := l.Blobs[c]; ok {
		return l, nil
	}
	r, err := s.OpenLayer(diffID)
	if err != nil {
		return Layer{}, err
	}
	defer r.Close() // read only
	w, err := s.NewLayer(ctx, c, jobs)
	if err != nil {
		return Layer{}, err
	}
	if _, err := io.Copy(w, r); err != nil {
		w.Abort()
		return Layer{}, fmt.Errorf("compress layer %s again: %w", diffID, err)
	}
	return w.Commit()
}
