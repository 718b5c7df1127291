package squashfs

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"

	"xtoo/internal/streams/xz"
)

// decompressor restores blocks. It is used by one goroutine.
type decompressor interface {
	// decompress restores src into dst[:0], never beyond its capacity: more is an error.
	decompress(dst, src []byte) ([]byte, error)
}

func newDecompressor(compression uint16) (name string, d decompressor, err error) {
	switch compression {
	case idGzip:
		return compressGzip, &zlibDecompressor{}, nil
	case idZstd:
		z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecodeAllCapLimit(true),
			zstd.WithDecoderMaxMemory(maxBlockSize), zstd.WithDecoderMaxWindow(maxBlockSize), zstd.WithDecoderLowmem(true))
		if err != nil {
			return "", nil, fmt.Errorf("make decompressor: %w", err)
		}
		return compressZstd, &zstdDecompressor{z}, nil
	case idXz:
		return compressXz, &xzDecompressor{xz.NewReader(nil, maxBlockSize)}, nil
	}
	return "", nil, fmt.Errorf("compression %d: %w", compression, errUnsupported)
}

// readAll fills dst[:0] from r, up to its capacity.
func readAll(dst []byte, r io.Reader) ([]byte, error) {
	n, err := io.ReadFull(r, dst[:cap(dst)])
	switch {
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return dst[:n], nil
	case err != nil:
		return nil, err
	}
	// Full: what is left must be the end. It also makes the decoder look at its checksum.
	var more [1]byte
	switch n, err := io.ReadFull(r, more[:]); {
	case n > 0:
		return nil, errors.New("block is larger than it may be")
	case !errors.Is(err, io.EOF):
		return nil, err
	}
	return dst[:n], nil
}

type zlibDecompressor struct {
	src bytes.Reader
	z   io.ReadCloser
}

func (d *zlibDecompressor) decompress(dst, src []byte) ([]byte, error) {
	d.src.Reset(src)
	var err error
	if z, ok := d.z.(zlib.Resetter); ok {
		err = z.Reset(&d.src, nil)
	} else {
		d.z, err = zlib.NewReader(&d.src)
	}
	if err != nil {
		return nil, err
	}
	return readAll(dst, d.z)
}

type zstdDecompressor struct{ z *zstd.Decoder }

func (d *zstdDecompressor) decompress(dst, src []byte) ([]byte, error) {
	return d.z.DecodeAll(src, dst[:0])
}

type xzDecompressor struct{ z *xz.Reader }

func (d *xzDecompressor) decompress(dst, src []byte) ([]byte, error) {
	d.z.Reset(bytes.NewReader(src))
	return readAll(dst, d.z)
}
