package oci

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	"github.com/opencontainers/image-spec/schema"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func fullSpec(t testing.TB) ImageSpec {
	m := newMemory()
	return ImageSpec{
		Platform: v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"},
		Created:  epoch.Add(123456789 * time.Nanosecond).In(time.FixedZone("x", 7200)),
		Extra:    Extra{Author: "A <a@example.org>"},
		Config: v1.ImageConfig{
			User: "1000:1000", Env: []string{"PATH=/bin", "A=b&c"}, Entrypoint: []string{"/sbin/init"}, Cmd: []string{"x"},
			WorkingDir: "/", StopSignal: "SIGRTMIN+3", Labels: map[string]string{"z": "1", "a": "2", "m": "<3>"},
			ExposedPorts: map[string]struct{}{"22/tcp": {}, "53/udp": {}}, Volumes: map[string]struct{}{"/b": {}, "/a": {}},
		},
		Layers: []LayerRef{
			addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"a": "1"}),
			addLayer(t, m, v1.MediaTypeImageLayerZstd, map[string]string{"a": "2"}),
			addLayer(t, m, v1.MediaTypeImageLayer, map[string]string{"a": "3"}),
		},
		History: []v1.History{
			NodeHistory("stage3", "", epoch, false),
			NodeHistory("base/sync", digest.FromString("s"), epoch, false),
			NodeHistory("base/none", digest.FromString("n"), epoch, true),
			NodeHistory("base", digest.FromString("b"), epoch, false),
		},
		annotations: map[string]string{v1.AnnotationBaseImageName: "x", "b": "y"},
	}
}

func validate(t *testing.T, v schema.Validator, data []byte) {
	t.Helper()
	if err := v.Validate(bytes.NewReader(data)); err != nil {
		t.Errorf("%s: %v\n%s", v, err, data)
	}
}

func TestBuildIsValidAndTheSameEveryTime(t *testing.T) {
	t.Parallel()
	first, err := Build(fullSpec(t))
	if err != nil {
		t.Fatal(err)
	}
	validate(t, schema.ValidatorMediaTypeImageConfig, first.Config)
	validate(t, schema.ValidatorMediaTypeManifest, first.Manifest)
	for range 20 {
		again, err := Build(fullSpec(t))
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(first.Config, again.Config) || !bytes.Equal(first.Manifest, again.Manifest) {
			t.Fatalf("not the same:\n%s\n%s", first.Config, again.Config)
		}
	}
	// Golden: a change of these bytes changes the digest of every image that anybody builds.
	const want = `{"created":"2022-06-16T01:02:03Z","author":"A <a@example.org>","architecture":"arm64","os":"linux","variant":"v8",` +
		`"config":{"User":"1000:1000","ExposedPorts":{"22/tcp":{},"53/udp":{}},"Env":["PATH=/bin","A=b&c"],"Entrypoint":["/sbin/init"],` +
		`"Cmd":["x"],"Volumes":{"/a":{},"/b":{}},"WorkingDir":"/","Labels":{"a":"2","m":"<3>","z":"1"},"StopSignal":"SIGRTMIN+3"},`
	if !strings.HasPrefix(string(first.Config), want) {
		t.Errorf("config is\n%s\nwant it to begin with\n%s", first.Config, want)
	}
	if !strings.Contains(string(first.Config), `{"created":"2022-06-16T01:02:03Z","created_by":"xtoo node base/none script sha256:`) ||
		strings.Count(string(first.Config), `"empty_layer":true`) != 1 {
		t.Errorf("history is wrong: %s", first.Config)
	}
	m, err := parseManifest(first.Manifest)
	if err != nil || len(m.Layers) != 3 || m.Config.Digest != digest.FromBytes(first.Config) || first.Descriptor.Digest != digest.FromBytes(first.Manifest) {
		t.Errorf("manifest %s: %v", first.Manifest, err)
	}
}

func TestBuildRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*ImageSpec){
		"no layers":         func(s *ImageSpec) { s.Layers, s.History = nil, nil },
		"no platform":       func(s *ImageSpec) { s.Platform = v1.Platform{} },
		"diff id":           func(s *ImageSpec) { s.Layers[0].DiffID = "sha256:../../etc/passwd" },
		"digest":            func(s *ImageSpec) { s.Layers[0].Descriptor.Digest = "sha256:ABC" },
		"size":              func(s *ImageSpec) { s.Layers[0].Descriptor.Size = -1 },
		"media type":        func(s *ImageSpec) { s.Layers[0].Descriptor.MediaType = "text/plain" },
		"history":           func(s *ImageSpec) { s.History = s.History[1:] },
		"label":             func(s *ImageSpec) { s.Config.Labels = map[string]string{"a": "\xff"} },
		"env":               func(s *ImageSpec) { s.Config.Env = []string{"A=\xff"} },
		"history text":      func(s *ImageSpec) { s.History[0].CreatedBy = "\xff" },
		"annotation":        func(s *ImageSpec) { s.annotations["\xff"] = "" },
		"too large":         func(s *ImageSpec) { s.Config.User = strings.Repeat("x", maxDocument) },
		"year out of range": func(s *ImageSpec) { s.Created = time.Date(12000, 1, 1, 0, 0, 0, 0, time.UTC) },
	} {
		s := fullSpec(t)
		spoil(&s)
		if img, err := Build(s); err == nil {
			t.Errorf("%s: built %s", name, img.Manifest)
		}
	}
}

func TestBuildIndex(t *testing.T) {
	t.Parallel()
	m := newMemory()
	var entries []v1.Descriptor
	for _, arch := range []string{"riscv64", "amd64", "arm64"} {
		p := v1.Platform{OS: "linux", Architecture: arch}
		d := addImage(t, m, p, addLayer(t, m, v1.MediaTypeImageLayer, nil)).Descriptor
		d.Platform = &p
		entries = append(entries, d)
	}
	first, desc, err := BuildIndex(entries, nil)
	if err != nil {
		t.Fatal(err)
	}
	validate(t, schema.ValidatorMediaTypeImageIndex, first)
	entries[0], entries[2] = entries[2], entries[0]
	second, _, err := BuildIndex(entries, nil)
	if err != nil || !bytes.Equal(first, second) || desc.Digest != digest.FromBytes(first) {
		t.Errorf("%v\n%s\n%s", err, first, second)
	}
	entries[0].Platform = nil
	if _, _, err := BuildIndex(entries, nil); err == nil {
		t.Error("an entry without a platform was taken")
	}
}
