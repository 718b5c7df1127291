package oci

import (
	"errors"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestImportChoosesThePlatform(t *testing.T) {
	t.Parallel()
	m := newMemory()
	platform := func(s string) *v1.Platform {
		parts := append(strings.Split(s, "/"), "")
		return &v1.Platform{OS: parts[0], Architecture: parts[1], Variant: parts[2]}
	}
	var entries []v1.Descriptor
	images := map[string]digest.Digest{}
	for _, s := range []string{"linux/amd64", "linux/amd64/v3", "linux/arm64/v8", "linux/arm/v6", "linux/arm/v7"} {
		d := addImage(t, m, *platform(s), addLayer(t, m, v1.MediaTypeImageLayer, map[string]string{"p": s})).Descriptor
		d.Platform = platform(s)
		images[s] = d.Digest
		entries = append(entries, d)
	}
	attestation := simpleImage(t, m, "attestation").Descriptor
	attestation.Platform = platform("unknown/unknown")
	data, desc, err := BuildIndex(append(entries, attestation), nil)
	if err != nil {
		t.Fatal(err)
	}
	m.put(data)
	dir := t.TempDir()
	mustExport(t, m, dir, Ref{Name: "multi", Descriptor: desc})
	for want, got := range map[string]string{
		"linux/amd64": "linux/amd64", "linux/amd64/v1": "linux/amd64", "linux/amd64/v2": "linux/amd64", "linux/amd64/v3": "linux/amd64/v3",
		"linux/arm64": "linux/arm64/v8", "linux/arm/v7": "linux/arm/v7", "linux/arm/v6": "linux/arm/v6", "linux/arm": "linux/arm/v6",
		"linux/arm/v5": "", "linux/riscv64": "", "windows/amd64": "",
	} {
		id, err := resolveText(t.Context(), "oci:"+dir+":multi", ImportOptions{Platform: platform(want)})
		if got == "" && errors.Is(err, errPlatform) && strings.Contains(err.Error(), "linux/amd64, linux/amd64/v3, linux/arm/v6, linux/arm/v7, linux/arm64/v8") {
			continue
		}
		if err != nil || id != images[got] {
			t.Errorf("%s: %s %v, want %s", want, id, err, images[got])
		}
	}
	if _, err := resolveText(t.Context(), "oci:"+dir+":multi", ImportOptions{}); !errors.Is(err, ErrAmbiguous) || strings.Contains(err.Error(), "unknown") {
		t.Error(err)
	}
}

// An index that names itself at every level, many times over, ends soon.
func TestNestedIndexes(t *testing.T) {
	t.Parallel()
	m := newMemory()
	data := []byte(`{"schemaVersion":2,"manifests":[]}`)
	for range maxNesting + 3 {
		d := descriptorOf(v1.MediaTypeImageIndex, data)
		m.put(data)
		p := amd64
		d.Platform = &p
		var err error
		if data, err = marshalRaw(map[string]any{"schemaVersion": 2, "manifests": []v1.Descriptor{d, d, d, d}}); err != nil {
			t.Fatal(err)
		}
	}
	m.put(data)
	desc := descriptorOf(v1.MediaTypeImageIndex, data)
	if _, err := Export(t.Context(), m, t.TempDir(), []Ref{{Name: "x", Descriptor: desc}}, ExportOptions{}); !errors.Is(err, errInvalid) {
		t.Errorf("export: %v", err)
	}
	content := map[string]string{"oci-layout": layoutFile, "index.json": string(data)}
	for d, b := range m.blobs {
		content["blobs/sha256/"+d.Encoded()] = string(b)
	}
	if _, err := resolveText(t.Context(), "oci:"+write(t, content), ImportOptions{Platform: &amd64}); err == nil {
		t.Error("resolve found something")
	}
}

func TestSoundHistory(t *testing.T) {
	t.Parallel()
	ids := []digest.Digest{digest.FromString("1"), digest.FromString("2")}
	good := []v1.History{{CreatedBy: "a"}, {CreatedBy: "e", EmptyLayer: true}, {CreatedBy: "b"}}
	for name, tt := range map[string]struct {
		history []v1.History
		want    int
	}{"good": {good, 3}, "none": {nil, 2}, "too many": {append(good, v1.History{}), 2}, "too few": {good[:2], 2}} {
		c := v1.Image{RootFS: v1.RootFS{DiffIDs: ids}, History: tt.history}
		if got, sound := soundHistory(c); len(got) != tt.want || sound != (name == "good" || name == "none") {
			t.Errorf("%s: %+v, %v", name, got, sound)
		}
	}
}
