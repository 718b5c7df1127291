package layers

import (
	"errors"
	"fmt"
	"io"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/streams/packed"
)

// Compression says how a layer's blob is compressed.
type Compression string

// The compressions of the image specification (layer.md, "+gzip" and "+zstd" media types).
const (
	Gzip Compression = "gzip"
	Zstd Compression = "zstd"
	None Compression = "none"
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
		return newZstdWriter(w, jobs), nil
	case None:
		return nopCloser{w}, nil
	default:
		return &gzipWriter{w: w, jobs: max(1, jobs)}, nil
	}
}

type nopCloser struct{ io.Writer }

func (nopCloser) Close() error { return nil }

// NewDecompressor recognises the compression of a layer's blob by content and yields the tar stream. The caller closes
// it; that does not close r.
func NewDecompressor(r io.Reader) (io.ReadCloser, Compression, error) {
	stream, format, err := packed.Open(r)
	if err != nil {
		return nil, "", err
	}
	switch format {
	case packed.None:
		return stream, None, nil
	case packed.Gzip:
		return stream, Gzip, nil
	case packed.Zstd:
		return stream, Zstd, nil
	}
	return nil, "", errors.Join(fmt.Errorf("the layer's blob is .%s data: an image's are gzip, zstd or not compressed", format), stream.Close())
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
