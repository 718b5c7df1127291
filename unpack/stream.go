package unpack

import (
	"bufio"
	"compress/bzip2"
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// streamChunks is how many chunks a sequential decoder may run ahead.
const streamChunks = 16

// input counts what a decoder has taken, and remembers a failure to read: decoders wrap or hide it.
type input struct {
	r   io.Reader
	off int64
	err error
}

func (in *input) Read(p []byte) (int, error) {
	n, err := in.r.Read(p)
	in.off += int64(n)
	if err != nil && !errors.Is(err, io.EOF) {
		in.err = err
	}
	return n, err
}

// newDecoderFunc makes a decoder of in. free, if any, releases what it holds.
type newDecoderFunc func(in io.Reader) (r io.Reader, free func(), err error)

// openStream runs a decoder ahead of its reader, in a goroutine of its own. kind tells which of the
// sentinels an error of the decoder stands for (or returns an error to use as it is).
func openStream(ctx context.Context, format Format, file io.Reader, mk newDecoderFunc, kind func(error) error) *flow {
	f := newFlow(ctx, 1)
	f.start(func() {
		d := f.newDecoder(streamChunks)
		once := false
		out, ok := d.begin(func() bool { once = !once; return once })
		if !ok {
			return
		}
		in := &input{r: file}
		r := &streamReader{in: in, format: format, kind: kind}
		var free func()
		r.dec, free, r.err = mk(bufio.NewReaderSize(in, chunkSize))
		r.err = noEOF(r.err) // the magic was there, so it is not empty
		if free != nil {
			defer free()
		}
		d.run(r, out)
	})
	return f
}

// streamReader gives a decoder's errors their meaning.
type streamReader struct {
	in     *input
	dec    io.Reader
	err    error
	format Format
	kind   func(error) error
}

func (r *streamReader) Read(p []byte) (int, error) {
	n, err := 0, r.err
	if err == nil {
		n, err = r.dec.Read(p)
	}
	switch {
	case err == nil:
		return n, nil
	case errors.Is(err, io.EOF):
		return n, errDone
	case r.in.err != nil:
		return n, r.in.err
	}
	kind := ErrTruncated
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		kind = r.kind(err)
	}
	if kind == ErrTruncated || kind == ErrCorrupt { //nolint:errorlint // the bare sentinel is meant: anything else is complete
		return n, atByte(kind, r.format, r.in.off, err.Error())
	}
	return n, kind
}

func corrupt(error) error { return ErrCorrupt }

// openZstd decodes a .zst: several frames, and skippable ones, may follow each other. The window, which
// must be held in memory, is bounded like the dictionary of an .xz.
func openZstd(ctx context.Context, file io.Reader, o OpenOptions) *flow {
	return openStream(ctx, FormatZstd, file, func(in io.Reader) (io.Reader, func(), error) {
		z, err := zstd.NewReader(in, zstd.WithDecoderConcurrency(o.Jobs), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(maxDict))
		if err != nil {
			return nil, nil, err
		}
		return z, z.Close, nil
	}, func(err error) error {
		switch {
		case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
			return fmt.Errorf("zstd data needs a window larger than the limit of %d MiB: %w", maxDict>>20, ErrUnsupported)
		case errors.Is(err, zstd.ErrUnknownDictionary):
			return fmt.Errorf("zstd data needs a dictionary of its own: %w", ErrUnsupported)
		}
		return ErrCorrupt
	})
}

// openBzip2 decodes a .bz2, one stream after another.
func openBzip2(ctx context.Context, file io.Reader) *flow {
	return openStream(ctx, FormatBzip2, file, func(in io.Reader) (io.Reader, func(), error) {
		return bzip2.NewReader(in), nil, nil
	}, corrupt)
}

// openGzip decodes a .gz: inflating is sequential by nature, so one core does it while the others do
// the rest of the work.
func openGzip(ctx context.Context, file io.Reader) *flow {
	return openStream(ctx, FormatGzip, file, func(in io.Reader) (io.Reader, func(), error) {
		br := bufio.NewReader(in) // what the decoder leaves unread must stay here
		z, err := gzip.NewReader(br)
		if err != nil {
			return nil, nil, err
		}
		z.Multistream(false)
		return &gzipMembers{br: br, z: z}, nil, nil
	}, corrupt)
}

// gzipMembers reads the members of a gzip file one by one. The library can do that by itself, but takes
// a file that ends within the name of a later member's header for complete.
type gzipMembers struct {
	br *bufio.Reader
	z  *gzip.Reader
}

func (g *gzipMembers) Read(p []byte) (int, error) {
	for {
		n, err := g.z.Read(p)
		if !errors.Is(err, io.EOF) {
			return n, err
		}
		if n > 0 {
			return n, nil // the end comes again
		}
		if _, err := g.br.Peek(1); err != nil {
			return 0, err // io.EOF: no further member
		}
		if err := g.z.Reset(g.br); err != nil {
			return 0, noEOF(err)
		}
		g.z.Multistream(false)
	}
}
