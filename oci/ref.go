package oci

import (
	"fmt"
	"maps"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/umoci/oci/casext"
)

// A Ref is a name in a layout's index and what it stands for.
type Ref struct {
	// Name is the annotation org.opencontainers.image.ref.name: letters and digits, joined by one of "-._:@+"
	// or "--", in components joined by "/".
	Name string

	// Descriptor is the manifest or index.
	Descriptor v1.Descriptor

	// Blobs may list everything that Descriptor reaches: config, layers, and for an index its manifests and
	// what they reach. Where it is given, an [Export] with nothing to do opens no blob at all; where it is
	// nil, the manifest is read from the source.
	Blobs []v1.Descriptor
}

// entry is the descriptor as it stands in the index.
func (r Ref) entry() v1.Descriptor {
	d := r.Descriptor
	d.Annotations = maps.Clone(d.Annotations)
	put(&d.Annotations, v1.AnnotationRefName, r.Name)
	return d
}

// check refuses a reference that must not be written. What it reaches is not looked at.
func (r Ref) check() error {
	if err := checkRefName(r.Name); err != nil {
		return err
	}
	if !isManifest(r.Descriptor.MediaType) && !isIndex(r.Descriptor.MediaType) {
		return fmt.Errorf("reference %q: %w: media type %.80q is neither a manifest's nor an index's", r.Name, errInvalid, r.Descriptor.MediaType)
	}
	if err := checkDescriptor(r.Descriptor); err != nil {
		return fmt.Errorf("reference %q: %w", r.Name, err)
	}
	return nil
}

// checkRefName tells with errReference whether name cannot be a reference name. (image-spec, annotations.md,
// "org.opencontainers.image.ref.name")
func checkRefName(name string) error {
	if !casext.IsValidReferenceName(name) {
		return fmt.Errorf("%w: name %.200q: want letters and digits joined by one of -._:@+ or --, in parts joined by /", errReference, name)
	}
	return nil
}
