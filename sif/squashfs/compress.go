package squashfs

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/klauspost/compress/zlib"
	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"xtoo/sif/squashfs/internal/deflate"
)

// compressor compresses blocks one by one, each on its own: what came before never shows in the result.
// It is used by one goroutine.
type compressor interface {
	// compress returns src compressed, in dst's memory (which has len(src) bytes at least) or nil when
	// that would not be smaller.
	compress(dst, src []byte) ([]byte, error)
}

// firstOwnLevel is the first gzip level that package deflate has; below it speed matters more, which the
// library is better at. Measured on a Linux root of 600 MB in blocks of 128 KiB, the size is 1.005 of
// zlib's best at level 6, 0.995 at 7, 0.99 at 8.
const firstOwnLevel = 6

var ownLevels = [...]deflate.Effort{{Depth: 8, Nice: 24}, {Depth: 16, Nice: 40}, {Depth: 60, Nice: 100}, {Depth: 1000, Nice: 258}}

// newCompressor takes checked options.
func newCompressor(o Options) (compressor, error) {
	switch o.Compression {
	case compressGzip:
		if i := o.level - firstOwnLevel; i >= 0 {
			return deflateCompressor{deflate.NewEncoder(ownLevels[i])}, nil
		}
		z, err := zlib.NewWriterLevel(nil, o.level)
		if err != nil {
			return nil, fmt.Errorf("make compressor: %w", err)
		}
		return &zlibCompressor{z: z}, nil
	case compressZstd:
		// The kernel decodes with a window of one block, and checks no checksum.
		z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderCRC(false),
			zstd.WithSingleSegment(true), zstd.WithWindowSize(max(o.blockSize, metadataSize)),
			zstd.WithEncoderLevel(zstd.EncoderLevelFromZstd(o.level)), zstd.WithLowerEncoderMem(true))
		if err != nil {
			return nil, fmt.Errorf("make compressor: %w", err)
		}
		return &zstdCompressor{z}, nil
	case compressXz:
		return &xzCompressor{xz.WriterConfig{DictCap: max(o.blockSize, metadataSize), CheckSum: xz.CRC32}}, nil
	}
	return nil, fmt.Errorf("squashfs compression %q: %w", o.Compression, errUnsupported)
}

// compressionOptions returns the superblock's compression id and the options that follow it (nil: the
// format's defaults, which gzip and xz always are here: neither the level nor the strategy of a zlib
// stream matters to its reader).
func compressionOptions(o Options) (id uint16, opts []byte) {
	switch o.Compression {
	case compressZstd:
		if o.level != defaultZstdLevel {
			opts = le.AppendUint32(nil, uint32(o.level))
		}
		return idZstd, opts
	case compressXz:
		return idXz, nil
	}
	return idGzip, nil
}

// errFull ends a compression that grows beyond its source.
var errFull = errors.New("block does not shrink")

// limited is a writer into a slice that never grows.
type limited struct{ b []byte }

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > cap(l.b)-len(l.b) {
		return 0, errFull
	}
	l.b = append(l.b, p...)
	return len(p), nil
}

type zlibCompressor struct {
	z   *zlib.Writer
	out limited
}

func (c *zlibCompressor) compress(dst, src []byte) ([]byte, error) {
	c.out.b = dst[:0:max(len(src)-1, 0)]
	c.z.Reset(&c.out)
	_, err := c.z.Write(src)
	if err == nil {
		err = c.z.Close()
	}
	return result(c.out.b, err)
}

func result(b []byte, err error) ([]byte, error) {
	if errors.Is(err, errFull) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("compress block: %w", err)
	}
	return b, nil
}

// deflateCompressor makes zlib streams too, smaller ones.
type deflateCompressor struct{ e *deflate.Encoder }

func (c deflateCompressor) compress(dst, src []byte) ([]byte, error) {
	if out, ok := c.e.Encode(dst[:0:max(len(src)-1, 0)], src); ok {
		return out, nil
	}
	return nil, nil
}

type zstdCompressor struct{ z *zstd.Encoder }

func (c *zstdCompressor) compress(dst, src []byte) ([]byte, error) {
	if out := c.z.EncodeAll(src, dst[:0]); len(out) < len(src) {
		return out, nil
	}
	return nil, nil
}

type xzCompressor struct{ config xz.WriterConfig }

// compress writes a whole .xz stream with a CRC32, the only check that every kernel's decoder knows.
func (c *xzCompressor) compress(dst, src []byte) ([]byte, error) {
	out := bytes.NewBuffer(dst[:0])
	z, err := c.config.NewWriter(out)
	if err == nil {
		_, err = z.Write(src)
	}
	if err == nil {
		err = z.Close()
	}
	if err != nil {
		return nil, fmt.Errorf("compress block: %w", err)
	}
	if out.Len() >= len(src) {
		return nil, nil
	}
	return out.Bytes(), nil
}
