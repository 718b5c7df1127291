package oci

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// asDocker is an image of a layout as docker has it.
func asDocker(t *testing.T, dir string, img *Image, name string) DockerImage {
	t.Helper()
	m, err := parseManifest(img.Manifest)
	testutil.Must(t, err)
	streams := newMemory()
	out := DockerImage{Name: name, Config: img.Config, Open: streams.Open}
	for _, l := range m.Layers {
		r, err := (&Layout{dir: dir}).Open(t.Context(), l.Digest)
		testutil.Must(t, err)
		plain, _, err := layers.NewDecompressor(r)
		testutil.Must(t, err)
		data, err := io.ReadAll(plain)
		testutil.Must(t, errors.Join(err, plain.Close(), r.Close()))
		out.Layers = append(out.Layers, v1.Descriptor{Digest: streams.put(data), Size: int64(len(data))})
	}
	return out
}

// archives writes both kinds of archives of the image of [threeLayers] and gives their files.
func archives(t *testing.T) (ociFile, dockerFile string, img *Image) {
	t.Helper()
	layout, img := threeLayers(t)
	// podman makes a name of the path, and wants that in lower case.
	dir, err := os.MkdirTemp("", "xtoo-oci-")
	testutil.Must(t, err)
	t.Cleanup(func() { testutil.Must(t, os.RemoveAll(dir)) })
	ociFile, dockerFile = filepath.Join(dir, "oci.tar"), filepath.Join(dir, "docker.tar")
	var b bytes.Buffer
	ref := Ref{Name: "x86-64bit/generic_64/host", Descriptor: img.Descriptor}
	testutil.Must(t, WriteArchive(t.Context(), &b, &Layout{dir: layout}, ref))
	testutil.Must(t, os.WriteFile(ociFile, b.Bytes(), 0o600))
	b.Reset()
	name, err := DockerName(ref.Name, "")
	testutil.Must(t, err)
	testutil.Must(t, WriteDockerArchive(t.Context(), &b, asDocker(t, layout, img, name)))
	testutil.Must(t, os.WriteFile(dockerFile, b.Bytes(), 0o600))
	return ociFile, dockerFile, img
}

func TestArchiveMembers(t *testing.T) {
	t.Parallel()
	ociFile, dockerFile, img := archives(t)
	for file, want := range map[string]string{
		ociFile:    "oci-layout index.json blobs/ blobs/sha256/ blobs/sha256/",
		dockerFile: "manifest.json " + img.ConfigDescriptor.Digest.Encoded() + ".json ",
	} {
		data, err := os.ReadFile(file)
		testutil.Must(t, err)
		var names []string
		for _, m := range testutil.ReadTar(t, data) {
			names = append(names, m.Name)
			if m.Uid != 0 || m.Uname != "" || m.ModTime.Unix() != 0 || m.Mode&0o444 != 0o444 {
				t.Errorf("%s: %+v", file, m.Header)
			}
		}
		if got := strings.Join(names, " "); !strings.HasPrefix(got, want) {
			t.Errorf("%s has %s", file, got)
		}
	}
}

// A layer that the image has twice is in docker's archive once; one that is not what it should be is in none.
func TestDockerArchiveLayers(t *testing.T) {
	t.Parallel()
	m := newMemory()
	data := []byte("a layer")
	l := v1.Descriptor{Digest: m.put(data), Size: int64(len(data))}
	var b bytes.Buffer
	img := DockerImage{Name: "a:latest", Config: []byte("{}"), Layers: []v1.Descriptor{l, l}, Open: m.Open}
	testutil.Must(t, WriteDockerArchive(t.Context(), &b, img))
	if n := len(testutil.ReadTar(t, b.Bytes())); n != 3 {
		t.Errorf("%d members", n)
	}
	img.Layers[1].Digest = digest.FromString("missing")
	if err := WriteDockerArchive(t.Context(), io.Discard, img); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a layer that is missing: %v", err)
	}
	for _, other := range []string{"a Layer", "a layer!", "a"} {
		img.Layers = []v1.Descriptor{l}
		img.Open = func(context.Context, digest.Digest) (io.ReadCloser, error) {
			return io.NopCloser(strings.NewReader(other)), nil
		}
		if err := WriteDockerArchive(t.Context(), io.Discard, img); !errors.Is(err, errMismatch) {
			t.Errorf("%q: %v", other, err)
		}
	}
}

func TestDockerName(t *testing.T) {
	t.Parallel()
	for _, c := range [][3]string{
		{"host", "", "host:latest"}, {"x86-64bit/generic_64/host", "", "x86-64bit/generic_64/host:latest"},
		{"next/host", "arm-64bit/raspi4", "next/host:arm-64bit-raspi4"}, {"me/box:1.0", "", "me/box:1.0"},
		{"me/box:1.0", "arm-64bit/raspi4", "me/box:1.0-arm-64bit-raspi4"}, {strings.Repeat("a/", 150) + "b", "", ""},
	} {
		name, err := DockerName(c[0], c[1])
		if name != c[2] || (err == nil) != (c[2] != "") {
			t.Errorf("%q, %q: %q, %v", c[0], c[1], name, err)
		}
	}
}

func TestSkopeoReadsArchives(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "skopeo")
	ociFile, dockerFile, img := archives(t)
	tmp := t.TempDir()
	for i, from := range []string{
		"oci-archive:" + ociFile + ":x86-64bit/generic_64/host", "oci-archive:" + ociFile,
		"docker-archive:" + dockerFile + ":x86-64bit/generic_64/host:latest", "docker-archive:" + dockerFile,
	} {
		testutil.Contains(t, testutil.Run(t, "skopeo", "--tmpdir", tmp, "inspect", from), `"Architecture": "amd64"`, `"a": "2"`)
		to := filepath.Join(tmp, "to"+strings.Repeat("o", i))
		args := []string{"--insecure-policy", "--tmpdir", tmp, "copy", from, "oci:" + to + ":copy"}
		if strings.HasPrefix(from, "oci") {
			args = append(args, "--preserve-digests") // else it compresses the layer that is not
		}
		testutil.Run(t, "skopeo", args...)
		l, err := OpenLayout(to)
		testutil.Must(t, err)
		refs, err := l.Refs()
		testutil.Must(t, err)
		if strings.HasPrefix(from, "oci") && refs[0].Descriptor.Digest != img.Descriptor.Digest {
			t.Errorf("%s is copied as %s, not %s", from, refs[0].Descriptor.Digest, img.Descriptor.Digest)
		}
		data, err := readBlob(t.Context(), l, refs[0].Descriptor)
		testutil.Must(t, err)
		if m, err := parseManifest(data); err != nil || len(m.Layers) != 3 {
			t.Errorf("%s: %d layers, %v", from, len(m.Layers), err)
		}
	}
}

func TestPodmanLoadsArchives(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "podman")
	testutil.NeedRoot(t)
	ociFile, dockerFile, img := archives(t)
	for _, file := range []string{dockerFile, ociFile} {
		tmp := t.TempDir()
		podman := func(args ...string) string {
			return testutil.Run(t, "podman", append([]string{"--root", filepath.Join(tmp, "root"), "--runroot", filepath.Join(tmp, "run"), "--storage-driver", "vfs"}, args...)...)
		}
		testutil.Contains(t, podman("load", "-q", "-i", file), "x86-64bit/generic_64/host:latest")
		id := img.ConfigDescriptor.Digest.Encoded()
		if out := podman("image", "inspect", "--format", "{{.Id}} {{.Architecture}} {{len .RootFS.Layers}}", "x86-64bit/generic_64/host"); strings.TrimSpace(out) != id+" amd64 3" {
			t.Errorf("%s: %s", file, out)
		}
	}
}
