package oci

import (
	"context"
	_ "crypto/sha256" // go-digest finds its algorithms only when they are linked in
	_ "crypto/sha512" // the specification's other registered algorithm
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A BlobSource gives blobs by digest.
type BlobSource interface {
	// Open opens a blob for reading from its start; the caller closes it. A blob that is not there is
	// fs.ErrNotExist. Where the reader is an *os.File, [Export] copies it inside the kernel and trusts its
	// content; anything else is hashed on its way.
	Open(ctx context.Context, d digest.Digest) (io.ReadCloser, error)
}

// SourceFunc is a function as a [BlobSource].
type SourceFunc func(ctx context.Context, d digest.Digest) (io.ReadCloser, error)

// Open implements [BlobSource].
func (f SourceFunc) Open(ctx context.Context, d digest.Digest) (io.ReadCloser, error) {
	return f(ctx, d)
}

// A BlobSink takes new blobs. The blob's name is what was written, so nothing is promised in advance.
type BlobSink interface {
	// Create starts a blob. The caller ends it with Commit or Abort.
	Create(ctx context.Context) (BlobWriter, error)
}

// A BlobWriter is a blob under construction.
type BlobWriter interface {
	io.Writer

	// Commit makes the blob durable and visible and says its digest and its size in bytes. A blob that the
	// sink has already is not an error. After an error the blob is gone, as after Abort.
	Commit() (digest.Digest, int64, error)

	// Abort drops the blob. After Commit it does nothing.
	Abort()
}

// checkDigest refuses what must never become part of a path: only the two registered algorithms, with exactly
// as many lower-case hexadecimal digits as each has. (image-spec, descriptor.md, "Digests")
func checkDigest(d digest.Digest) error {
	if hex, ok := strings.CutPrefix(string(d), "sha256:"); ok && isHex(hex, 64) { // nearly all, and there may be many
		return nil
	}
	if err := d.Validate(); err != nil {
		return fmt.Errorf("digest %.80q: %w: %w", string(d), errInvalid, err)
	}
	if a := d.Algorithm(); a != digest.SHA256 && a != digest.SHA512 {
		return fmt.Errorf("digest %.80q: %w: algorithm is neither sha256 nor sha512", string(d), errInvalid)
	}
	return nil
}

// isHex tells whether s is n lower-case hexadecimal digits.
func isHex(s string, n int) bool {
	if len(s) != n {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// blobName is the slash path of a blob inside a layout. (image-spec, image-layout.md, "Blobs")
func blobName(d digest.Digest) (string, error) {
	if err := checkDigest(d); err != nil {
		return "", err
	}
	return v1.ImageBlobsDir + "/" + d.Algorithm().String() + "/" + d.Encoded(), nil
}

// verifier passes a blob through and compares size and digest with the descriptor at its end.
type verifier struct {
	r    io.Reader
	desc v1.Descriptor
	left int64
	sum  digest.Verifier
}

// newVerifier wraps r, which must hold exactly the blob of desc; the reader ends with errMismatch instead of
// io.EOF where it does not. Callers must read to the end. The descriptor's digest must have been checked.
func newVerifier(r io.Reader, desc v1.Descriptor) *verifier {
	return &verifier{r: r, desc: desc, left: desc.Size, sum: desc.Digest.Verifier()}
}

func (v *verifier) Read(p []byte) (int, error) {
	n, err := v.r.Read(p)
	v.left -= int64(n)
	if v.left < 0 {
		return 0, fmt.Errorf("blob %s: %w: longer than the %d bytes stated", v.desc.Digest, errMismatch, v.desc.Size)
	}
	// A hash never fails to write.
	_, _ = v.sum.Write(p[:n])
	if errors.Is(err, io.EOF) {
		switch {
		case v.left > 0:
			err = fmt.Errorf("blob %s: %w: %d of %d bytes", v.desc.Digest, errMismatch, v.desc.Size-v.left, v.desc.Size)
		case !v.sum.Verified():
			err = fmt.Errorf("blob %s: %w", v.desc.Digest, errMismatch)
		}
	}
	return n, err
}
