package oci

import (
	"fmt"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// The names of the ways in which a layer's tar stream is stored.
const (
	CompressionNone = "none"
	CompressionGzip = "gzip"
	CompressionZstd = "zstd"
)

// Docker's older names for the same documents. Images that carry them are read, never written.
const (
	dockerManifest     = "application/vnd.docker.distribution.manifest.v2+json"
	dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig       = "application/vnd.docker.container.image.v1+json"
	dockerLayer        = "application/vnd.docker.image.rootfs.diff.tar"
	dockerLayerGzip    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	dockerLayerZstd    = "application/vnd.docker.image.rootfs.diff.tar.zstd"
)

// LayerMediaType names the media type of a layer: of [CompressionNone], [CompressionGzip] or [CompressionZstd].
// (image-spec, layer.md)
func LayerMediaType(compression string) (string, error) {
	switch compression {
	case CompressionNone:
		return v1.MediaTypeImageLayer, nil
	case CompressionGzip:
		return v1.MediaTypeImageLayerGzip, nil
	case CompressionZstd:
		return v1.MediaTypeImageLayerZstd, nil
	}
	return "", fmt.Errorf("compression %q: want %s, %s or %s", compression, CompressionGzip, CompressionZstd, CompressionNone)
}

func isIndex(mediaType string) bool {
	return mediaType == v1.MediaTypeImageIndex || mediaType == dockerManifestList
}

func isManifest(mediaType string) bool {
	return mediaType == v1.MediaTypeImageManifest || mediaType == dockerManifest
}

func isConfig(mediaType string) bool {
	return mediaType == v1.MediaTypeImageConfig || mediaType == dockerConfig
}

// isLayer tells the layers that are tar streams. Non-distributable layers are tar streams as well: whether the
// blob is there is another question.
func isLayer(mediaType string) bool {
	switch mediaType {
	case v1.MediaTypeImageLayer, v1.MediaTypeImageLayerGzip, v1.MediaTypeImageLayerZstd,
		v1.MediaTypeImageLayerNonDistributable,     //nolint:staticcheck // deprecated for writing, still found
		v1.MediaTypeImageLayerNonDistributableGzip, //nolint:staticcheck // deprecated for writing, still found
		v1.MediaTypeImageLayerNonDistributableZstd, //nolint:staticcheck // deprecated for writing, still found
		dockerLayer, dockerLayerGzip, dockerLayerZstd:
		return true
	}
	return false
}
