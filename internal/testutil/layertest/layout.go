package layertest

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Layout writes an OCI layout with one image, tagged "image", of layers given topmost first, and returns its directory.
func Layout(t testing.TB, tars ...[]byte) string {
	t.Helper()
	dir := t.TempDir()
	blob := func(mediaType string, b []byte) v1.Descriptor {
		d := digest.FromBytes(b)
		name := filepath.Join(dir, "blobs", "sha256", d.Encoded())
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, b, 0o644); err != nil {
			t.Fatal(err)
		}
		return v1.Descriptor{MediaType: mediaType, Digest: d, Size: int64(len(b))}
	}
	encode := func(v any) []byte {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	config := v1.Image{Platform: v1.Platform{Architecture: "amd64", OS: "linux"}, RootFS: v1.RootFS{Type: "layers"}}
	manifest := v1.Manifest{Versioned: specs.Versioned{SchemaVersion: 2}, MediaType: v1.MediaTypeImageManifest}
	for _, b := range slices.Backward(tars) {
		manifest.Layers = append(manifest.Layers, blob(v1.MediaTypeImageLayer, b))
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, digest.FromBytes(b))
	}
	manifest.Config = blob(v1.MediaTypeImageConfig, encode(config))
	m := blob(v1.MediaTypeImageManifest, encode(manifest))
	m.Annotations = map[string]string{v1.AnnotationRefName: "image"}
	index := v1.Index{Versioned: specs.Versioned{SchemaVersion: 2}, Manifests: []v1.Descriptor{m}}
	for name, b := range map[string][]byte{"index.json": encode(index), "oci-layout": []byte(`{"imageLayoutVersion":"1.0.0"}`)} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
