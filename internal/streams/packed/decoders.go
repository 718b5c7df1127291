package packed

import (
	"bufio"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"

	"xtoo/internal/streams"
	"xtoo/internal/streams/xz"
)

// newDecoder makes a decoder. Its kind is set even after an error.
func newDecoder(in *bufio.Reader, f Format, jobs int) (d decoder, err error) {
	d.kind = func(error) error { return ErrCorrupt }
	switch f {
	case Gzip:
		d.Reader, err = newGzip(in)
	case Zstd:
		// Several frames, and skippable ones, may follow each other.
		d.kind = zstdKind
		var z *zstd.Decoder
		z, err = zstd.NewReader(in, zstd.WithDecoderConcurrency(max(1, jobs)), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(MaxWindow))
		if err == nil {
			d.Reader, d.free = z, z.Close
		}
	case XZ:
		d.kind = xzKind
		d.Reader = xz.NewReader(in, MaxWindow)
	case Bzip2:
		d.Reader = bzip2.NewReader(in) // one stream after another
	default:
		err = fmt.Errorf("%w: format %q", ErrUnsupported, f)
	}
	return d, err
}

func zstdKind(err error) error {
	switch {
	case errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return fmt.Errorf("zstd data needs a window larger than the limit of %d MiB: %w", MaxWindow>>20, ErrUnsupported)
	case errors.Is(err, zstd.ErrUnknownDictionary):
		return fmt.Errorf("zstd data needs a dictionary of its own: %w", ErrUnsupported)
	}
	return ErrCorrupt
}

func xzKind(err error) error {
	if known := XZUnsupported(err); known != nil {
		return known
	}
	return ErrCorrupt
}

// XZUnsupported picks out what is not done here, as opposed to what is wrong: then nil.
func XZUnsupported(err error) error {
	var dict *xz.DictionaryError
	switch {
	case errors.As(err, &dict):
		return XZDictionary(dict.Size)
	case errors.Is(err, xz.ErrOptions):
		return fmt.Errorf("xz data uses a filter or flag that is unknown here: %w", ErrUnsupported)
	case errors.Is(err, xz.ErrCheck):
		return fmt.Errorf("xz data uses an unknown kind of check: %w", ErrUnsupported)
	}
	return nil
}

// XZDictionary is the error of an xz stream that needs a dictionary of that many bytes, beyond [MaxWindow].
func XZDictionary(size int64) error {
	return fmt.Errorf("xz data needs a dictionary of %d MiB, the limit is %d MiB: %w", size>>20, MaxWindow>>20, ErrUnsupported)
}

// gzipMembers reads the members of a gzip file one by one, and zeros behind the last one, as gzip(1) does: devices that
// write whole blocks leave them there. The library reads members by itself, but takes a file that ends within the name
// of a later member's header for complete.
type gzipMembers struct {
	in *bufio.Reader // what the decoder leaves unread stays here
	z  *gzip.Reader
}

func newGzip(in *bufio.Reader) (io.Reader, error) {
	z, err := gzip.NewReader(in)
	if err != nil {
		return nil, err
	}
	z.Multistream(false)
	return &gzipMembers{in: in, z: z}, nil
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
		next, err := g.in.Peek(1)
		if err == nil && next[0] == 0 {
			err = onlyZeros(g.in)
		}
		if err != nil {
			return 0, err // io.EOF: no further member
		}
		if err := g.z.Reset(g.in); err != nil {
			return 0, streams.NoEOF(err)
		}
		g.z.Multistream(false)
	}
}

// onlyZeros reads to the end, which it returns as io.EOF.
func onlyZeros(in *bufio.Reader) error {
	for {
		b, err := in.ReadByte()
		if err != nil {
			return err
		}
		if b != 0 {
			return errors.New("something other than zeros follows the last member")
		}
	}
}
