package layers

import (
	"bufio"
	"fmt"
	"io"
	"strings"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/klauspost/pgzip"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Compression says how a layer's blob is compressed.
type Compression string

// The compressions of the image specification (layer.md, "+gzip" and "+zstd" media types).
const (
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
	None Compression = "none"
)

// Compressions lists what --compression takes, the default first.
var Compressions = []Compression{Gzip, Zstd, None}

// gzipBlock is how much each core compresses at a time. It is part of the format: with another one
// the same layer has other bytes.
const gzipBlock = 1 << 20

// gzipLevel and zstdLevel are part of the format for the same reason.
const (
	gzipLevel = 6
	zstdLevel = zstd.SpeedDefault
)

// MediaType returns the media type of a layer blob with that compression.
func (c Compression) MediaType() string {
	switch c {
	case Zstd:
		return v1.MediaTypeImageLayerZstd
	case None:
		return v1.MediaTypeImageLayer
	default:
		return v1.MediaTypeImageLayerGzip
	}
}

// ParseCompression checks a name from the command line. The empty name is [Gzip].
func ParseCompression(name string) (Compression, error) {
	switch c := Compression(name); c {
	case "":
		return Gzip, nil
	case Gzip, Zstd, None:
		return c, nil
	}
	return "", fmt.Errorf("unknown compression %q: it is gzip, zstd or none", name)
}

// NewCompressor compresses to w on up to jobs cores; the bytes do not depend on jobs.
// The caller closes it; that does not close w.
func NewCompressor(w io.Writer, c Compression, jobs int) (io.WriteCloser, error) {
	switch c {
	case Zstd:
		return zstd.NewWriter(w, zstd.WithEncoderLevel(zstdLevel), zstd.WithEncoderConcurrency(max(2, jobs)))
	case None:
		return nopCloser{w}, nil
	default:
		z, err := pgzip.NewWriterLevel(w, gzipLevel)
		if err != nil {
			return nil, err
		}
		return z, z.SetConcurrency(gzipBlock, max(1, jobs))
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// zstdWindow bounds the memory that a hostile zstd blob can ask for.
const zstdWindow = 128 << 20

// NewDecompressor recognises the compression by content and yields the tar stream. The caller closes it;
// that does not close r.
func NewDecompressor(r io.Reader) (io.ReadCloser, error) {
	br := bufio.NewReaderSize(r, 1<<20)
	magic, err := br.Peek(4)
	if err != nil && err != io.EOF { // Peek returns it bare
		return nil, err
	}
	switch {
	case len(magic) >= 2 && magic[0] == 0x1f && magic[1] == 0x8b:
		return gzip.NewReader(br)
	case len(magic) == 4 && string(magic) == "\x28\xb5\x2f\xfd":
		d, err := zstd.NewReader(br, zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, err
		}
		return d.IOReadCloser(), nil
	default:
		return io.NopCloser(br), nil
	}
}

// CompressionOf returns the compression that a layer's media type stands for, the image specification's or Docker's.
func CompressionOf(mediaType string) (Compression, error) {
	switch {
	case strings.HasSuffix(mediaType, "gzip"):
		return Gzip, nil
	case strings.HasSuffix(mediaType, "zstd"):
		return Zstd, nil
	case strings.HasSuffix(mediaType, ".tar"):
		return None, nil
	}
	return "", fmt.Errorf("unknown media type %q of a layer", mediaType)
}
