package oci

import (
	"bufio"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// zstdWindow is the largest window that a layer may ask the decoder for, in bytes: 128 MiB is what `zstd --long`
// uses and what `zstd -d` accepts without being asked.
const zstdWindow = 128 << 20

// A diffReader passes a layer's blob through, unpacks it beside, and ends with [ErrMismatch] instead of io.EOF
// when the tar stream is not the one of the diff id. After io.EOF size and mediaType are known.
type diffReader struct {
	r    io.Reader
	want digest.Digest
	pipe *io.PipeWriter
	done chan struct{}

	size      int64  // of the tar stream, in bytes
	mediaType string // by content
	err       error  // of the goroutine that unpacks
}

func newDiffReader(r io.Reader, want digest.Digest) *diffReader {
	out, in := io.Pipe()
	d := &diffReader{r: r, want: want, pipe: in, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.err = d.unpack(out)
		_ = out.CloseWithError(d.err) // a pipe's end has nothing to lose; nil lets the writer see ErrClosedPipe
	}()
	return d
}

func (d *diffReader) Read(p []byte) (int, error) {
	n, err := d.r.Read(p)
	if n > 0 {
		if _, werr := d.pipe.Write(p[:n]); werr != nil {
			<-d.done
			if d.err != nil {
				werr = d.err
			}
			return 0, werr
		}
	}
	if err == io.EOF {
		_ = d.pipe.Close() // never fails
		<-d.done
		if d.err != nil {
			return n, d.err
		}
	} else if err != nil {
		_ = d.pipe.CloseWithError(err) // never fails
	}
	return n, err
}

// Close ends the unpacking, wherever it is.
func (d *diffReader) Close() {
	_ = d.pipe.CloseWithError(io.ErrClosedPipe) // never fails
	<-d.done
}

// unpack reads the whole blob and compares what is in it.
func (d *diffReader) unpack(r io.Reader) error {
	tar, mediaType, err := decompress(r)
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", d.want, err)
	}
	defer tar.Close() // a decoder that was read to its end; nothing is written through it
	sum := d.want.Verifier()
	d.size, err = io.CopyBuffer(struct{ io.Writer }{sum}, struct{ io.Reader }{tar}, make([]byte, 256<<10))
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w: %w", d.want, ErrInvalid, err)
	}
	if !sum.Verified() {
		return fmt.Errorf("layer %s: %w", d.want, ErrMismatch)
	}
	d.mediaType = mediaType
	return nil
}

// decompress yields the tar stream of a layer's blob and the media type that the blob's content has.
func decompress(r io.Reader) (io.ReadCloser, string, error) {
	b := bufio.NewReaderSize(r, 1<<20)
	magic, err := b.Peek(4)
	if err != nil && err != io.EOF {
		return nil, "", err
	}
	switch {
	case len(magic) >= 2 && string(magic[:2]) == "\x1f\x8b":
		z, err := gzip.NewReader(b)
		return z, v1.MediaTypeImageLayerGzip, err
	case string(magic) == "\x28\xb5\x2f\xfd":
		z, err := zstd.NewReader(b, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, "", err
		}
		return z.IOReadCloser(), v1.MediaTypeImageLayerZstd, nil
	}
	return io.NopCloser(b), v1.MediaTypeImageLayer, nil
}
