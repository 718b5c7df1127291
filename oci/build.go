package oci

import (
	"fmt"
	"sort"
	"time"
	"unicode/utf8"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/specs-go"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A LayerRef is one layer of an image: the stored blob and what it unpacks to.
type LayerRef struct {
	// Descriptor is the blob, with the media type that says how it is compressed.
	Descriptor v1.Descriptor

	// DiffID is the digest of the uncompressed tar stream.
	DiffID digest.Digest
}

// An ImageSpec says everything that an image's config and manifest say. The zero value is not an image: a
// platform with architecture and os is required.
type ImageSpec struct {
	Platform v1.Platform

	// Created is the image's creation time, usually SOURCE_DATE_EPOCH: whole seconds, the rest is cut off. The
	// zero time leaves it out.
	Created time.Time

	Config v1.ImageConfig

	// Extra is passed on from the image that this one builds on.
	Extra Extra

	// Layers are all layers, lowest first, inherited ones included. At least one: the specification's schema wants
	// it, so that an image from scratch in which nothing was done has one layer that is empty.
	Layers []LayerRef

	// History is what made each layer, lowest first, inherited entries included. Where it is given, as many
	// entries as there are layers must be without EmptyLayer. (image-spec, config.md, "history")
	History []v1.History

	// annotations go into the manifest. What the config says already is better left to the config.
	annotations map[string]string
}

// An Image is what [Build] made.
type Image struct {
	// Config and Manifest are the exact bytes of the blobs.
	Config, Manifest []byte

	// ConfigDescriptor and Descriptor (of the manifest) describe them, without annotations and platform.
	ConfigDescriptor, Descriptor v1.Descriptor

	// Layers are the layers as the manifest has them, lowest first.
	Layers []v1.Descriptor
}

// blobs lists what the manifest reaches, config first, for [Ref.Blobs].
func (i *Image) blobs() []v1.Descriptor {
	return append([]v1.Descriptor{i.ConfigDescriptor}, i.Layers...)
}

// Build makes the config and the manifest of an image. The bytes depend on s alone: keys stand in the order of
// the specification's own types, maps are sorted, times are in UTC, and lists stay as they are given ([Merge]
// puts them in order). It reads and writes nothing else.
func Build(s ImageSpec) (*Image, error) {
	if len(s.Layers) == 0 {
		return nil, fmt.Errorf("build image: no layers: the specification wants one, if only an empty one")
	}
	config := v1.Image{
		Created:  utcSeconds(s.Created),
		Author:   s.Extra.Author,
		Platform: s.Platform,
		Config:   s.Config,
		RootFS:   v1.RootFS{Type: "layers", DiffIDs: make([]digest.Digest, 0, len(s.Layers))},
	}
	config.OSVersion, config.OSFeatures = s.Extra.OSVersion, s.Extra.OSFeatures
	manifest := v1.Manifest{
		Versioned:   specs.Versioned{SchemaVersion: 2},
		MediaType:   v1.MediaTypeImageManifest,
		Layers:      make([]v1.Descriptor, 0, len(s.Layers)),
		Annotations: s.annotations,
	}
	for i, l := range s.Layers {
		if err := checkDigest(l.DiffID); err != nil {
			return nil, fmt.Errorf("build image: diff id of layer %d: %w", i, err)
		}
		config.RootFS.DiffIDs = append(config.RootFS.DiffIDs, l.DiffID)
		manifest.Layers = append(manifest.Layers, l.Descriptor)
	}
	full := 0
	for _, h := range s.History {
		if h.Created != nil {
			t := h.Created.UTC()
			h.Created = &t
		}
		if !h.EmptyLayer {
			full++
		}
		config.History = append(config.History, h)
	}
	if len(s.History) > 0 && full != len(s.Layers) {
		return nil, fmt.Errorf("build image: history speaks of %d layers, there are %d", full, len(s.Layers))
	}
	configBytes, err := marshal(s.Extra.document(config))
	if err != nil {
		return nil, fmt.Errorf("build image: config: %w", err)
	}
	if _, err := ParseConfig(configBytes); err != nil {
		return nil, fmt.Errorf("build image: %w", err)
	}
	manifest.Config = descriptorOf(v1.MediaTypeImageConfig, configBytes)
	manifestBytes, err := marshal(manifest)
	if err != nil {
		return nil, fmt.Errorf("build image: manifest: %w", err)
	}
	// The same checks as for what comes from elsewhere: what is written here must be readable here.
	if _, err := parseManifest(manifestBytes); err != nil {
		return nil, fmt.Errorf("build image: %w", err)
	}
	return &Image{
		Config: configBytes, ConfigDescriptor: manifest.Config,
		Manifest: manifestBytes, Descriptor: descriptorOf(v1.MediaTypeImageManifest, manifestBytes),
		Layers: manifest.Layers,
	}, nil
}

// BuildIndex makes the index of one image built for several platforms. Each entry is a manifest's descriptor
// with its Platform set; the index has them sorted by platform, then digest, whatever their order here.
func BuildIndex(entries []v1.Descriptor, annotations map[string]string) ([]byte, v1.Descriptor, error) {
	index := v1.Index{
		Versioned:   specs.Versioned{SchemaVersion: 2},
		MediaType:   v1.MediaTypeImageIndex,
		Manifests:   append([]v1.Descriptor{}, entries...),
		Annotations: annotations,
	}
	for i, m := range index.Manifests {
		if m.Platform == nil || !isManifest(m.MediaType) {
			return nil, v1.Descriptor{}, fmt.Errorf("build index: entry %d is no manifest with a platform", i)
		}
	}
	sort.SliceStable(index.Manifests, func(i, j int) bool {
		a, b := index.Manifests[i], index.Manifests[j]
		if p, q := FormatPlatform(*a.Platform), FormatPlatform(*b.Platform); p != q {
			return p < q
		}
		return a.Digest < b.Digest
	})
	data, err := marshal(index)
	if err != nil {
		return nil, v1.Descriptor{}, fmt.Errorf("build index: %w", err)
	}
	if _, err := parseIndex(data); err != nil {
		return nil, v1.Descriptor{}, fmt.Errorf("build index: %w", err)
	}
	return data, descriptorOf(v1.MediaTypeImageIndex, data), nil
}

// NodeHistory is the history entry of a node: its path in the project's tree of scripts, the digest of its
// script, the image's creation time, and whether it left the file system as it was.
func NodeHistory(node string, script digest.Digest, created time.Time, empty bool) v1.History {
	h := v1.History{Created: utcSeconds(created), CreatedBy: "xtoo node " + node, EmptyLayer: empty}
	if script != "" {
		h.CreatedBy += " script " + script.String()
	}
	return h
}

// utcSeconds cuts a time to what SOURCE_DATE_EPOCH can say; nil for the zero time.
func utcSeconds(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC().Truncate(time.Second)
	return &t
}

// marshal encodes v on one line, keys of structs in their order and keys of maps sorted, without the escapes
// that encoding/json adds for HTML. Text that is not UTF-8 would be changed on the way, so it is refused.
func marshal(v any) ([]byte, error) {
	if err := checkText(v); err != nil {
		return nil, err
	}
	data, err := marshalRaw(v)
	if err != nil {
		return nil, err
	}
	if len(data) > maxDocument {
		return nil, fmt.Errorf("%d bytes: longer than the %d that registries take", len(data), maxDocument)
	}
	return data, nil
}

func checkText(v any) error {
	check := func(what string, texts ...string) error {
		for _, t := range texts {
			if !utf8.ValidString(t) {
				return fmt.Errorf("%s %q is not UTF-8", what, t)
			}
		}
		return nil
	}
	annotations := map[string]string{}
	switch d := v.(type) {
	case imageDocument:
		return checkText(d.Image)
	case v1.Image:
		c := d.Config
		for _, h := range d.History {
			if err := check("history", h.CreatedBy, h.Author, h.Comment); err != nil {
				return err
			}
		}
		for _, texts := range [][]string{c.Env, c.Entrypoint, c.Cmd, {d.Author, c.User, c.WorkingDir, c.StopSignal}} {
			if err := check("image setting", texts...); err != nil {
				return err
			}
		}
		for k := range c.Volumes {
			if err := check("volume", k); err != nil {
				return err
			}
		}
		annotations = c.Labels
	case v1.Manifest:
		annotations = d.Annotations
	case v1.Index:
		annotations = d.Annotations
	}
	for k, t := range annotations {
		if err := check("label or annotation", k, t); err != nil {
			return err
		}
	}
	return nil
}
