package oci

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/containers/image/v5/docker/archive"
	ociarchive "github.com/containers/image/v5/oci/archive"
	"github.com/containers/image/v5/oci/layout"
)

// A Reference says where an image is. It is the parsed form of a project's `from:`.
type Reference struct {
	// Transport is "oci", "oci-archive" or "docker-archive", as containers/image names them.
	Transport string

	// Path is the layout's directory or the archive's file.
	Path string

	// Name is the reference in it; "" stands for the only one.
	Name string
}

// String writes the reference as it was read, with the path made absolute.
func (r Reference) String() string {
	s := r.Transport + ":" + r.Path
	if r.Name != "" {
		s += ":" + r.Name
	}
	return s
}

// parseReference reads `oci:DIR[:REF]`, `oci-archive:FILE[:REF]` or `docker-archive:FILE[:REF]`. A relative path
// counts from base, which may hold colons. As everywhere with these transports, the path ends at its first colon. It looks at nothing
// on disk; every error is errReference.
func parseReference(s, base string) (Reference, error) {
	transport, rest, _ := strings.Cut(s, ":")
	known := []string{layout.Transport.Name(), ociarchive.Transport.Name(), archive.Transport.Name()}
	r := Reference{Transport: transport}
	switch transport {
	case known[0], known[1], known[2]:
	case "docker", "containers-storage", "docker-daemon", "dir":
		return Reference{}, withHint(fmt.Errorf("%w %q: %s: is not read directly", errReference, s, transport),
			fmt.Sprintf("copy the image first: skopeo copy %s oci:DIR:NAME", s))
	default:
		return Reference{}, fmt.Errorf("%w %q: want %s:DIR:NAME, %s:FILE or %s:FILE", errReference, s, known[0], known[1], known[2])
	}
	var colon bool
	r.Path, r.Name, colon = strings.Cut(rest, ":")
	if r.Path == "" {
		return Reference{}, fmt.Errorf("%w %q: no path", errReference, s)
	}
	if colon && r.Name == "" {
		return Reference{}, fmt.Errorf("%w %q: nothing follows the last colon", errReference, s)
	}
	// Docker's names have a grammar of their own, which its transport applies.
	if transport != known[2] && r.Name != "" {
		if err := checkRefName(r.Name); err != nil {
			return Reference{}, fmt.Errorf("%q: %w", s, err)
		}
	}
	if !filepath.IsAbs(r.Path) {
		r.Path = filepath.Join(base, r.Path)
	}
	return r, nil
}
