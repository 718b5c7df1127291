package store

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/atomicfile"
)

// blobPath returns the file of a blob in the store, whether or not it exists.
func (s *Store) blobPath(d digest.Digest) string {
	return s.dir + "/" + dirLayout + "/blobs/" + d.Algorithm().String() + "/" + d.Encoded()
}

// HasBlob says whether the blob is there with that size. Blobs are synced before they get their
// name, so one with the right size is whole.
func (s *Store) HasBlob(d digest.Digest, size int64) bool {
	fi, err := os.Stat(s.blobPath(d))
	return err == nil && fi.Size() == size
}

// OpenBlob opens a blob for reading. The caller closes it.
func (s *Store) OpenBlob(d digest.Digest) (*os.File, error) {
	if err := d.Validate(); err != nil {
		return nil, fmt.Errorf("open blob %q: %w", d, err)
	}
	return os.Open(s.blobPath(d))
}

// A BlobWriter hashes what is written and becomes a blob of the store with Commit.
type BlobWriter struct {
	s    *Store
	ctx  context.Context
	f    *atomicfile.File
	hash hash.Hash
	size int64
	sync flusher
}

// NewBlob starts a blob. The caller ends it with Commit or Abort. Writing fails once ctx has ended.
func (s *Store) NewBlob(ctx context.Context) (*BlobWriter, error) {
	work, err := s.workspace(s.own)
	if err != nil {
		return nil, fmt.Errorf("start a blob: %w", err)
	}
	// Its name is its digest, known at the end only: Commit renames it.
	f, err := atomicfile.Create(filepath.Join(work.dir, "blob"), 0o600)
	if err != nil {
		return nil, fmt.Errorf("start a blob: %w", err)
	}
	return &BlobWriter{s: s, ctx: ctx, f: f, hash: sha256.New(), sync: flusher{f: f.File}}, nil
}

// Write implements io.Writer.
func (w *BlobWriter) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := w.f.Write(p)
	w.hash.Write(p[:n])
	w.size += int64(n)
	w.sync.wrote(w.size)
	return n, err
}

// Commit gives the blob its name and returns its digest and size in bytes. A blob that is there already is kept. Its content is
// durable then; its name is from the next index on that is written, and a record whose blob has gone counts for nothing.
func (w *BlobWriter) Commit() (digest.Digest, int64, error) {
	d := digest.NewDigest(digest.SHA256, w.hash)
	if w.s.HasBlob(d, w.size) {
		w.f.Abort()
		return d, w.size, nil
	}
	if err := w.f.CommitContent(w.s.blobPath(d)); err != nil {
		return "", 0, fmt.Errorf("commit blob %s: %w", d, err)
	}
	return d, w.size, nil
}

// Abort gives the blob up. After Commit it does nothing.
func (w *BlobWriter) Abort() { w.f.Abort() }

// PutBlob stores small content (a config, a manifest) and returns its digest.
func (s *Store) PutBlob(ctx context.Context, data []byte) (digest.Digest, error) {
	d := digest.FromBytes(data)
	if s.HasBlob(d, int64(len(data))) {
		return d, nil
	}
	w, err := s.NewBlob(ctx)
	if err != nil {
		return "", err
	}
	defer w.Abort()
	if _, err := w.Write(data); err != nil {
		return "", err
	}
	d, _, err = w.Commit()
	return d, err
}

// verifyReader fails at the end of the stream if its digest is not the one expected.
type verifyReader struct {
	io.ReadCloser
	v    digest.Verifier
	what string // "layer sha256:…", for the error
	path string // the file that it is read from
}

// ErrDamaged says that a blob's content is not what its digest says.
var ErrDamaged = errors.New("its content does not have the digest it is named by: delete the file and build again")

func (r *verifyReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if n > 0 {
		_, _ = r.v.Write(p[:n]) // hashing does not fail
	}
	switch {
	case err == io.EOF && !r.v.Verified(): // the io.Reader contract returns it bare
		return n, fmt.Errorf("read %s: %s: %w", r.what, r.path, ErrDamaged)
	case err != nil && err != io.EOF:
		return n, fmt.Errorf("read %s: %w", r.what, damaged(r.path, err))
	}
	return n, err
}

// damaged makes an error of reading a file say which it is, and that it is damaged, unless it could not be read at all.
func damaged(path string, err error) error {
	var pathErr *fs.PathError
	if errors.As(err, &pathErr) || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return fmt.Errorf("%s: %w (%w)", path, ErrDamaged, err)
}
