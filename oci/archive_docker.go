package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/containers/image/v5/docker/reference"
	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// A DockerImage is an image as `docker save` writes it.
type DockerImage struct {
	// Name is what it is called where it is loaded, as [DockerName] makes it.
	Name string
	// Config is the document; its digest is the image's id.
	Config []byte
	// Layers are the tar streams, bottom first: as many as the config has diff ids, each with its diff id for a digest.
	Layers []v1.Descriptor
	// Open opens the tar stream of a layer; the caller closes it.
	Open func(ctx context.Context, diffID digest.Digest) (io.ReadCloser, error)
}

// WriteDockerArchive writes the tar stream that `docker load` and "docker-archive:" read:
//
//	manifest.json  CONFIG.json  DIFF-ID.tar …
//
// Layers are not compressed: every reader takes these, and the bytes are the same whatever the store has compressed them with. One that the
// image has twice stands there once. Members are root's, of 1970. Every layer is verified on its way. After an error w has a part.
func WriteDockerArchive(ctx context.Context, w io.Writer, img DockerImage) error {
	if err := writeDockerTar(ctx, w, img); err != nil {
		return fmt.Errorf("write docker archive: %w", err)
	}
	return nil
}

func writeDockerTar(ctx context.Context, w io.Writer, img DockerImage) error {
	config := digest.FromBytes(img.Config).Encoded() + ".json"
	manifest := struct {
		Config   string
		RepoTags []string
		Layers   []string
	}{config, []string{img.Name}, []string{}}
	for _, l := range img.Layers {
		if err := checkDescriptor(l); err != nil {
			return err
		}
		manifest.Layers = append(manifest.Layers, dockerMember(l))
	}
	list, err := json.Marshal([]any{manifest})
	if err != nil {
		return err
	}
	a := newArchiveWriter(ctx, w)
	if err := a.document("manifest.json", list); err != nil {
		return err
	}
	if err := a.document(config, img.Config); err != nil {
		return err
	}
	there := map[digest.Digest]bool{}
	for _, l := range img.Layers {
		if there[l.Digest] {
			continue
		}
		there[l.Digest] = true
		if err := a.stream(dockerMember(l), l, img.Open); err != nil {
			return err
		}
	}
	return a.tar.Close()
}

// dockerMember is the name of a layer in the archive.
func dockerMember(l v1.Descriptor) string { return l.Digest.Encoded() + ".tar" }

// DockerName is what docker and podman call the image of a project: its tag, and behind the colon its version, or "latest"; for one of several
// platforms ("arm-64bit/raspi4"), that stands in the place of "latest", or behind the version. It is an error if they take no such name.
func DockerName(ref, platform string) (string, error) {
	name, version, _ := strings.Cut(ref, ":")
	parts := slices.DeleteFunc([]string{version, strings.ReplaceAll(platform, "/", "-")}, func(s string) bool { return s == "" })
	if len(parts) == 0 {
		parts = []string{"latest"}
	}
	name += ":" + strings.Join(parts, "-")
	if _, err := reference.ParseNormalizedNamed(name); err != nil {
		return "", withHint(fmt.Errorf("%w: docker has no name %q for an image: %w", errReference, name, err),
			"rename the project, or write an OCI archive")
	}
	return name, nil
}
