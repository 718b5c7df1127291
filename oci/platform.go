package oci

import (
	"fmt"
	"slices"
	"strings"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// FormatPlatform writes a platform as people do: os/architecture, and /variant where there is one.
func FormatPlatform(p v1.Platform) string {
	s := p.OS + "/" + p.Architecture
	if p.Variant != "" {
		s += "/" + p.Variant
	}
	return s
}

// baseVariant is the variant that an architecture has where none is given.
func baseVariant(p v1.Platform) string {
	switch {
	case p.Variant != "":
		return p.Variant
	case p.Architecture == "arm64":
		return "v8"
	case p.Architecture == "amd64":
		return "v1"
	}
	return ""
}

// samePlatform compares os, architecture and variant. Where it need not be exact, an image that does not say its
// variant is taken for any, and any image for a wanted platform whose variant is not known.
func samePlatform(have, want v1.Platform, exactly bool) bool {
	if have.OS != want.OS || have.Architecture != want.Architecture {
		return false
	}
	return baseVariant(have) == baseVariant(want) || !exactly && (have.Variant == "" || baseVariant(want) == "")
}

// pick chooses the manifest of an index for a platform, or the only one where platform is nil. An exact variant
// wins over an entry that does not say its own. Entries for the platform unknown/unknown are attestations of
// build tools and no images.
func pick(index v1.Index, want *v1.Platform) (v1.Descriptor, error) {
	var images []v1.Descriptor
	for _, m := range index.Manifests {
		if !isManifest(m.MediaType) && !isIndex(m.MediaType) || m.Platform != nil && m.Platform.Architecture == "unknown" {
			continue
		}
		images = append(images, m)
	}
	if want == nil {
		if len(images) == 1 {
			return images[0], nil
		}
		return v1.Descriptor{}, fmt.Errorf("%w: the index has %s", ErrAmbiguous, listPlatforms(images))
	}
	for _, exactly := range []bool{true, false} {
		for _, m := range images {
			if m.Platform != nil && samePlatform(*m.Platform, *want, exactly) {
				return m, nil
			}
		}
	}
	if len(images) == 1 && images[0].Platform == nil {
		return images[0], nil // its config says which platform it is, and is compared
	}
	return v1.Descriptor{}, fmt.Errorf("%w %s: the index has %s", errPlatform, FormatPlatform(*want), listPlatforms(images))
}

func listPlatforms(images []v1.Descriptor) string {
	var names []string
	for _, m := range images {
		name := "an image that does not say its platform"
		if m.Platform != nil {
			name = FormatPlatform(*m.Platform)
		}
		names = append(names, name)
	}
	slices.Sort(names)
	return listOr(slices.Compact(names), "no image")
}

// listOr joins names for an error message, at most twenty of them, or says what stands for an empty list.
func listOr(names []string, none string) string {
	if len(names) == 0 {
		return none
	}
	if n := len(names) - 20; n > 0 {
		names = append(slices.Clone(names[:20]), fmt.Sprintf("and %d more", n))
	}
	return strings.Join(names, ", ")
}
