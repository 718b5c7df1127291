package oci

import v1 "github.com/opencontainers/image-spec/specs-go/v1"

// Docker's older names for the same documents. Images that carry them are read, never written.
const (
	dockerManifest     = "application/vnd.docker.distribution.manifest.v2+json"
	dockerManifestList = "application/vnd.docker.distribution.manifest.list.v2+json"
	dockerConfig       = "application/vnd.docker.container.image.v1+json"
	dockerLayer        = "application/vnd.docker.image.rootfs.diff.tar"
	dockerLayerGzip    = "application/vnd.docker.image.rootfs.diff.tar.gzip"
	dockerLayerZstd    = "application/vnd.docker.image.rootfs.diff.tar.zstd"
)

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
