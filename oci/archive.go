package oci

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/streams"
)

// WriteArchive writes a layout with one reference as a tar stream, which is what "oci-archive:" stands for: oci-layout, index.json,
// and all that the reference reaches, by digest.
//
//	oci-layout  index.json  blobs/  blobs/sha256/  blobs/sha256/0a…  blobs/sha256/1c…
//
// The same reference gives the same bytes: members are root's, of 1970. Every blob is verified on its way. After an error w has a part.
func WriteArchive(ctx context.Context, w io.Writer, src BlobSource, r Ref) error {
	e := &export{src: src, refs: []Ref{r}}
	err := e.gather(ctx)
	if err == nil {
		err = writeLayoutTar(ctx, w, src, r, e.blobs)
	}
	if err != nil {
		return fmt.Errorf("write OCI archive: %w", err)
	}
	return nil
}

func writeLayoutTar(ctx context.Context, w io.Writer, src BlobSource, r Ref, blobs []v1.Descriptor) error {
	index, err := EditIndex(nil, []Ref{r}, nil)
	if err != nil {
		return err
	}
	a := newArchiveWriter(ctx, w)
	if err := a.document(v1.ImageLayoutFile, layoutMark()); err != nil {
		return err
	}
	if err := a.document(v1.ImageIndexFile, index); err != nil {
		return err
	}
	if err := a.directory(v1.ImageBlobsDir); err != nil {
		return err
	}
	var algorithm digest.Algorithm
	for _, b := range blobs {
		name, err := blobName(b.Digest)
		if err != nil {
			return err
		}
		if of := b.Digest.Algorithm(); of != algorithm {
			algorithm = of // they are sorted
			if err := a.directory(v1.ImageBlobsDir + "/" + of.String()); err != nil {
				return err
			}
		}
		if err := a.stream(name, b, src.Open); err != nil {
			return err
		}
	}
	return a.tar.Close()
}

// An archiveWriter writes the tar stream of an archive.
type archiveWriter struct {
	ctx context.Context
	tar *tar.Writer
	buf []byte
}

// archiveBuffer is how much is copied at a time, in bytes.
const archiveBuffer = 1 << 20

func newArchiveWriter(ctx context.Context, w io.Writer) *archiveWriter {
	return &archiveWriter{ctx: ctx, tar: tar.NewWriter(w), buf: make([]byte, archiveBuffer)}
}

func (a *archiveWriter) directory(name string) error {
	return a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name + "/", Mode: 0o755, ModTime: time.Unix(0, 0)})
}

func (a *archiveWriter) file(name string, size int64) error {
	return a.tar.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: size, ModTime: time.Unix(0, 0)})
}

func (a *archiveWriter) document(name string, data []byte) error {
	if err := a.file(name, int64(len(data))); err != nil {
		return err
	}
	_, err := a.tar.Write(data)
	return err
}

// stream writes a member that has the digest and the size of d.
func (a *archiveWriter) stream(name string, d v1.Descriptor, open func(context.Context, digest.Digest) (io.ReadCloser, error)) error {
	r, err := open(a.ctx, d.Digest)
	if err != nil {
		return err
	}
	defer r.Close() // read only, and verified
	if err := a.file(name, d.Size); err != nil {
		return err
	}
	from := streams.WithContext(a.ctx, newVerifier(r, d))
	_, err = io.CopyBuffer(struct{ io.Writer }{a.tar}, struct{ io.Reader }{from}, a.buf)
	return err
}
