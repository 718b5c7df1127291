package outputs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/layers/store"
	"xtoo/oci"
)

// blobsOf gives the blobs of a store.
func blobsOf(s *store.Store) oci.BlobSource {
	return oci.SourceFunc(func(_ context.Context, d digest.Digest) (io.ReadCloser, error) { return s.OpenBlob(d) })
}

// documentOf reads a document of an image from the store.
func documentOf(s *store.Store, d v1.Descriptor) ([]byte, error) {
	r, err := s.OpenBlob(d.Digest)
	if err != nil {
		return nil, err
	}
	defer r.Close() // read only
	data, err := io.ReadAll(io.LimitReader(r, d.Size+1))
	if err != nil {
		return nil, err
	}
	if digest.FromBytes(data) != d.Digest {
		return nil, fmt.Errorf("config %s: %w", d.Digest, store.ErrDamaged)
	}
	return data, nil
}

// digestOf is the digest of a file that was written.
func digestOf(f *os.File) (digest.Digest, error) {
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(h, struct{ io.Reader }{f}, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return digest.NewDigest(digest.SHA256, h), nil
}
