package oci

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/streams"
	"xtoo/layers"
)

// A diffReader passes a layer's blob through, unpacks it beside, and ends with errMismatch instead of io.EOF
// when the tar stream is not the one of the diff id, or with errInvalid when it has a member that no layer may hold, or more than a stage3 may.
// After io.EOF size and mediaType are known.
type diffReader struct {
	r    io.Reader
	want digest.Digest
	pipe *io.PipeWriter
	done chan struct{}

	size      int64  // of the tar stream, in bytes
	mediaType string // by content
	err       error  // of the goroutine that unpacks
}

func newDiffReader(ctx context.Context, r io.Reader, want digest.Digest) *diffReader {
	out, in := io.Pipe()
	d := &diffReader{r: r, want: want, pipe: in, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.err = d.unpack(ctx, out)
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

// unpack reads the whole blob, looks at all members, and compares the digest of the tar stream.
func (d *diffReader) unpack(ctx context.Context, r io.Reader) error {
	stream, compression, err := layers.NewDecompressor(r)
	if err != nil {
		return fmt.Errorf("unpack layer %s: %w", d.want, err)
	}
	defer stream.Close() // a decoder that was read to its end; nothing is written through it
	sum := d.want.Verifier()
	tally := layers.Tally{Bounds: layers.Bounds{}.WithDefaults()}
	count := &streams.Counter{R: io.TeeReader(layers.Limit(stream, tally.Bounds.Bytes), sum)}
	in := layers.NewReader(ctx, bufio.NewReaderSize(count, 256<<10))
	for err == nil {
		var m *layers.Member
		if m, err = in.Next(); err == nil {
			if err = tally.Add(m); err != nil {
				err = fmt.Errorf("entry %q: %w", m.Name, err)
			}
		}
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("unpack layer %s: %w: %w", d.want, errInvalid, err)
	}
	if !sum.Verified() {
		return fmt.Errorf("layer %s: %w", d.want, errMismatch)
	}
	d.size, d.mediaType = count.N, compression.MediaType()
	return nil
}
