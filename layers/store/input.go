package store

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/atomicfile"
	"xtoo/internal/streams"
)

// The scripts and declared files of nodes are kept by digest for those who execute them, so that what is executed
// is what was hashed. They are not synced, since they can be had again: their readers verify them.

// KeepInput keeps what r yields, and returns its digest and its size in bytes. It takes the place of what was kept under
// that digest before, which may have been damaged. After an error nothing is left of it.
func (s *Store) KeepInput(ctx context.Context, r io.Reader) (d digest.Digest, size int64, err error) {
	work, err := s.workspace(s.own)
	if err != nil {
		return "", 0, fmt.Errorf("keep an input: %w", err)
	}
	f, err := atomicfile.Create(filepath.Join(work.dir, "input"), 0o600)
	if err != nil {
		return "", 0, fmt.Errorf("keep an input: %w", err)
	}
	defer f.Abort()
	h := digest.SHA256.Digester()
	size, err = io.Copy(io.MultiWriter(f, h.Hash()), streams.WithContext(ctx, r))
	if err == nil {
		d = h.Digest()
		err = f.Place(s.InputPath(d))
	}
	if err != nil {
		return "", 0, fmt.Errorf("keep an input: %w", err)
	}
	return d, size, nil
}

// InputPath is where an input is kept, whether or not it is there. What is read has not been verified.
func (s *Store) InputPath(d digest.Digest) string { return s.path(dirInputs, d.Encoded()) }

// OpenInput opens an input. Reading it to its end fails with [ErrDamaged] if it is not what its digest says.
// The caller closes it.
func (s *Store) OpenInput(d digest.Digest) (io.ReadCloser, error) {
	if err := d.Validate(); err != nil || d.Algorithm() != digest.SHA256 {
		return nil, fmt.Errorf("open input %q: it is no sha256 digest", d)
	}
	f, err := os.Open(s.InputPath(d))
	if err != nil {
		return nil, err
	}
	return &verifyReader{ReadCloser: f, v: d.Verifier(), what: "input " + d.String(), path: s.InputPath(d)}, nil
}
