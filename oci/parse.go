package oci

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// Limits on what is read. They are far above what any tool writes and bound what a hostile document can cost.
const (
	// maxDocument is the largest index, manifest or config that is read or written, in bytes. Registries have
	// the same limit for manifests.
	maxDocument = 4 << 20

	// maxLayers is the largest number of layers of an image. The kernel stacks at most 500 directories.
	maxLayers = 2048

	// maxNesting is how deep indexes may refer to indexes.
	maxNesting = 8
)

// readDocument reads a JSON document, refusing what is longer than maxDocument.
func readDocument(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxDocument+1))
	if err != nil {
		return nil, err
	}
	if len(data) > maxDocument {
		return nil, fmt.Errorf("%w: longer than %d bytes", errInvalid, maxDocument)
	}
	return data, nil
}

// checkDescriptor validates what every descriptor has. (image-spec, descriptor.md)
func checkDescriptor(d v1.Descriptor) error {
	if err := checkDigest(d.Digest); err != nil {
		return err
	}
	if d.Size < 0 {
		return fmt.Errorf("descriptor of %s: %w: size %d", d.Digest, errInvalid, d.Size)
	}
	return nil
}

// decode unmarshals one JSON value and nothing behind it.
func decode(data []byte, what string, v any) error {
	if err := json.Unmarshal(data, v); err != nil {
		return fmt.Errorf("%s: %w: %w", what, errInvalid, err)
	}
	return nil
}

// kinds is what tells a manifest from an index by content. A document that is both would be read as one thing
// here and as another elsewhere (CVE-2021-41190), so it is neither.
type kinds struct {
	schemaVersion int
	mediaType     string
	keys          map[string]json.RawMessage
}

// parseKinds looks at a document's own keys. encoding/json matches keys whatever their case and most others do
// not: a key that is one of ours in another spelling is refused, lest it be read here and not there.
func parseKinds(data []byte, what string) (kinds, error) {
	var k kinds
	if err := decode(data, what, &k.keys); err != nil {
		return k, err
	}
	known := []string{"schemaVersion", "mediaType", "artifactType", "config", "layers", "fsLayers", "manifests", "subject", "annotations"}
	for key := range k.keys {
		for _, name := range known {
			if key != name && strings.EqualFold(key, name) {
				return k, fmt.Errorf("%s: %w: key %q for %q", what, errInvalid, key, name)
			}
		}
	}
	for key, v := range map[string]any{"schemaVersion": &k.schemaVersion, "mediaType": &k.mediaType} {
		if raw, ok := k.keys[key]; ok {
			if err := decode(raw, what+": "+key, v); err != nil {
				return k, err
			}
		}
	}
	if k.schemaVersion != 2 {
		return k, fmt.Errorf("%s: %w: schemaVersion %d, want 2", what, errInvalid, k.schemaVersion)
	}
	return k, nil
}

// has tells whether the document has one of these keys.
func (k kinds) has(names ...string) bool {
	return slices.ContainsFunc(names, func(n string) bool { return k.keys[n] != nil })
}

// parseManifest reads the manifest of a container image, OCI's or Docker's version 2, and checks it: what it
// returns has a config and layers of known media types, with digests that are safe as file names. Every
// complaint is errInvalid. (image-spec, manifest.md)
func parseManifest(data []byte) (v1.Manifest, error) {
	m, err := parseAnyManifest(data)
	if err != nil {
		return v1.Manifest{}, err
	}
	if !isConfig(m.Config.MediaType) {
		return v1.Manifest{}, fmt.Errorf("manifest: %w: not a container image: config of media type %.80q", errInvalid, m.Config.MediaType)
	}
	if m.Config.Size > maxDocument {
		return v1.Manifest{}, fmt.Errorf("manifest: config: %w: %d bytes", errInvalid, m.Config.Size)
	}
	for i, l := range m.Layers {
		if !isLayer(l.MediaType) {
			return v1.Manifest{}, fmt.Errorf("manifest: layer %d: %w: not a tar stream: media type %.80q", i, errInvalid, l.MediaType)
		}
	}
	return m, nil
}

// parseAnyManifest reads a manifest of anything: an image, a signature, a chart. Its descriptors are checked,
// what they describe is not.
func parseAnyManifest(data []byte) (v1.Manifest, error) {
	var m v1.Manifest
	k, err := parseKinds(data, "manifest")
	if err != nil {
		return m, err
	}
	if k.has("manifests", "fsLayers") {
		return m, fmt.Errorf("manifest: %w: it is (also) an index or a manifest of version 1", errInvalid)
	}
	if k.mediaType != "" && !isManifest(k.mediaType) {
		return m, fmt.Errorf("manifest: %w: media type %.80q", errInvalid, k.mediaType)
	}
	if err := decode(data, "manifest", &m); err != nil {
		return v1.Manifest{}, err
	}
	if err := checkDescriptor(m.Config); err != nil {
		return v1.Manifest{}, fmt.Errorf("manifest: config: %w", err)
	}
	if len(m.Layers) > maxLayers {
		return v1.Manifest{}, fmt.Errorf("manifest: %w: %d layers", errInvalid, len(m.Layers))
	}
	for i, l := range m.Layers {
		if err := checkDescriptor(l); err != nil {
			return v1.Manifest{}, fmt.Errorf("manifest: layer %d: %w", i, err)
		}
	}
	if m.Subject != nil {
		if err := checkDescriptor(*m.Subject); err != nil {
			return v1.Manifest{}, fmt.Errorf("manifest: subject: %w", err)
		}
	}
	return m, nil
}

// parseIndex reads an image index, OCI's or Docker's manifest list, and checks its descriptors. Media types that
// are not known are let through: an index may hold anything. Every complaint is errInvalid.
// (image-spec, image-index.md)
func parseIndex(data []byte) (v1.Index, error) {
	var x v1.Index
	k, err := parseKinds(data, "index")
	if err != nil {
		return x, err
	}
	if k.has("config", "layers", "fsLayers") {
		return x, fmt.Errorf("index: %w: it is (also) a manifest", errInvalid)
	}
	if k.mediaType != "" && !isIndex(k.mediaType) {
		return x, fmt.Errorf("index: %w: media type %.80q", errInvalid, k.mediaType)
	}
	if err := decode(data, "index", &x); err != nil {
		return v1.Index{}, err
	}
	for i, m := range x.Manifests {
		if err := checkDescriptor(m); err != nil {
			return v1.Index{}, fmt.Errorf("index: entry %d: %w", i, err)
		}
	}
	return x, nil
}

// ParseConfig reads an image config and checks that it has a platform and legal diff ids. Every complaint is
// errInvalid. (image-spec, config.md)
func ParseConfig(data []byte) (v1.Image, error) {
	var c v1.Image
	if err := decode(data, "config", &c); err != nil {
		return v1.Image{}, err
	}
	if c.Architecture == "" || c.OS == "" {
		return v1.Image{}, fmt.Errorf("config: %w: no architecture or no os", errInvalid)
	}
	if c.RootFS.Type != "layers" {
		return v1.Image{}, fmt.Errorf("config: %w: rootfs type %.80q, want \"layers\"", errInvalid, c.RootFS.Type)
	}
	if len(c.RootFS.DiffIDs) > maxLayers {
		return v1.Image{}, fmt.Errorf("config: %w: %d diff ids", errInvalid, len(c.RootFS.DiffIDs))
	}
	for i, d := range c.RootFS.DiffIDs {
		if err := checkDigest(d); err != nil {
			return v1.Image{}, fmt.Errorf("config: diff id %d: %w", i, err)
		}
	}
	return c, nil
}

// parseLayoutFile checks the content of a file `oci-layout`. (image-spec, image-layout.md, "oci-layout file")
func parseLayoutFile(data []byte) error {
	var l v1.ImageLayout
	if err := decode(data, v1.ImageLayoutFile, &l); err != nil {
		return err
	}
	if l.Version != v1.ImageLayoutVersion {
		return fmt.Errorf("%s: %w: imageLayoutVersion %.80q, want %q", v1.ImageLayoutFile, errInvalid, l.Version, v1.ImageLayoutVersion)
	}
	return nil
}

// descriptorOf describes bytes that stand in memory.
func descriptorOf(mediaType string, data []byte) v1.Descriptor {
	return v1.Descriptor{MediaType: mediaType, Digest: digest.FromBytes(data), Size: int64(len(data))}
}
