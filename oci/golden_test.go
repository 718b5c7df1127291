package oci

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/testutil"
)

// goldenImage is an image of three layers that nobody has, with everything that a config and a manifest may say.
func goldenImage(t *testing.T, p v1.Platform) *Image {
	t.Helper()
	parent := v1.ImageConfig{
		User: "root", Env: []string{"PATH=/usr/bin:/bin", "A=old"}, Entrypoint: []string{"/bin/old"}, Cmd: []string{"old"},
		Labels: map[string]string{"b": "parent", "z": "parent"}, ExposedPorts: map[string]struct{}{"1/tcp": {}},
	}
	user, dir, signal := "1000:100", "/srv", "SIGRTMIN+3"
	config, err := Merge(parent, Settings{
		Entrypoint: []string{"/sbin/init", "--log"}, Cmd: []string{"a b", "<&>"}, User: &user, WorkingDir: &dir, StopSignal: &signal,
		Env:    map[string]string{"LANG": "de_DE.UTF-8", "A": "ä\u2028", "B": ""},
		Labels: map[string]string{"org.example.b": "<2>", "a": "1", "z": "new"}, Ports: []string{"22", "53/udp", "8000-8010"}, Volumes: []string{"/var/b/", "/a"},
	})
	if err != nil {
		t.Fatal(err)
	}
	created := time.Date(2022, 6, 16, 3, 2, 1, 123456789, time.FixedZone("east", 7200))
	s := ImageSpec{
		Platform: p, Created: created, Extra: Extra{Author: "A <a@example.org>"}, Config: config,
		annotations: map[string]string{v1.AnnotationBaseImageName: "stage3", "b": "<y>", "a": "x"},
		History: []v1.History{
			{Created: &created, CreatedBy: "xtoo stage3", Comment: "without /usr/src/*"},
			NodeHistory("base/sync", digest.FromString("sync"), created, false),
			NodeHistory("base/none", digest.FromString("none"), created, true),
			NodeHistory("base", "", created, false),
		},
	}
	for i, m := range []string{v1.MediaTypeImageLayerGzip, v1.MediaTypeImageLayerZstd, v1.MediaTypeImageLayer} {
		s.Layers = append(s.Layers, LayerRef{
			Descriptor: v1.Descriptor{MediaType: m, Digest: digest.FromString("blob " + m), Size: int64(1000 + i)},
			DiffID:     digest.FromString("diff id " + m),
		})
	}
	img, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestGoldenDocuments: the bytes of an image's documents, and of the index.json of the layout that holds one.
func TestGoldenDocuments(t *testing.T) {
	t.Parallel()
	img := goldenImage(t, v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"})
	testutil.Golden(t, "config", digest.FromBytes(img.Config))
	testutil.Golden(t, "manifest", digest.FromBytes(img.Manifest))

	var entries []v1.Descriptor
	for _, p := range []v1.Platform{{OS: "linux", Architecture: "riscv64"}, {OS: "linux", Architecture: "arm64", Variant: "v8"}, {OS: "linux", Architecture: "amd64"}} {
		d := goldenImage(t, p).Descriptor
		d.Platform = &p
		entries = append(entries, d)
	}
	index, _, err := BuildIndex(entries, map[string]string{"b": "<y>", "a": "x"})
	if err != nil {
		t.Fatal(err)
	}
	testutil.Golden(t, "index", digest.FromBytes(index))

	dir, m := filepath.Join(t.TempDir(), "layout"), newMemory()
	layer := addLayer(t, m, v1.MediaTypeImageLayer, map[string]string{"etc/text": "x"})
	raspi := v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	d := addImage(t, m, raspi, layer).Descriptor
	d.Platform = &raspi
	mustExport(t, m, dir, Ref{Name: "next/host", Descriptor: d}, Ref{Name: "next", Descriptor: addImage(t, m, amd64, layer).Descriptor})
	doc, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	testutil.Golden(t, "layout-index", digest.FromBytes(doc))
}
