package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"xtoo/internal/atomicfile"
	"xtoo/internal/streams"
)

// copyChunk is how much is copied between two looks at the context, in bytes.
const copyChunk = 32 << 20

// copy brings one blob into the layout and answers with the file it made, or "" where the blob was there.
func (e *export) copy(ctx context.Context, s *session, d v1.Descriptor) (string, error) {
	if err := ctx.Err(); err != nil {
		return "", err
	}
	there, err := e.dst.hasSize(d)
	if err != nil {
		return "", err
	}
	if there && isDocument(d) {
		_, err := readBlob(ctx, e.dst, d)
		there = err == nil
	}
	if there {
		return "", nil
	}
	name, err := e.dst.path(d.Digest)
	if err != nil {
		return "", err
	}
	if err := s.mkdirs(filepath.Dir(name)); err != nil {
		return "", fmt.Errorf("copy blob %s: %w", d.Digest, err)
	}
	if err := copyBlob(ctx, e.src, d, name); err != nil {
		return "", fmt.Errorf("copy blob %s: %w", d.Digest, err)
	}
	e.log.Debug("copied blob", "digest", d.Digest, "size", d.Size)
	e.result.Copied++
	e.result.Bytes += d.Size
	return name, nil
}

// isDocument tells the small blobs whose content is worth a comparison.
func isDocument(d v1.Descriptor) bool {
	return d.Size <= maxDocument && (isManifest(d.MediaType) || isIndex(d.MediaType) || isConfig(d.MediaType))
}

// copyBlob writes the blob d of src as the file name: whole, synced and of the stated size, or not at all. The name is synced with
// the index that comes to refer to it.
func copyBlob(ctx context.Context, src BlobSource, d v1.Descriptor, name string) (err error) {
	r, err := src.Open(ctx, d.Digest)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	w, err := atomicfile.Create(name, 0o644)
	if err != nil {
		return err
	}
	defer w.Abort()
	if in, ok := r.(*os.File); ok {
		err = copyFile(ctx, w.File, in, d)
	} else {
		_, err = io.Copy(w.File, streams.WithContext(ctx, newVerifier(r, d)))
	}
	if err != nil {
		return err
	}
	return w.CommitContent(name)
}

// copyFile copies a file inside the kernel: a clone where the file system has them, else copy_file_range, which
// io.CopyN comes down to between two files. A hard link is never made: the copy would change with the source's
// permissions and owner.
func copyFile(ctx context.Context, w, r *os.File, d v1.Descriptor) error {
	info, err := r.Stat()
	if err != nil {
		return err
	}
	if info.Size() != d.Size {
		return fmt.Errorf("blob %s: %w: %d bytes, %d stated", d.Digest, errMismatch, info.Size(), d.Size)
	}
	if unix.IoctlFileClone(int(w.Fd()), int(r.Fd())) == nil {
		return nil
	}
	for left := d.Size; left > 0; {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := io.CopyN(w, r, min(left, copyChunk))
		if err != nil {
			return err
		}
		left -= n
	}
	return nil
}
