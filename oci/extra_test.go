package oci

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// What the config of another image says is in the image that builds on it, or is named.
func TestExtra(t *testing.T) {
	const rootfs = `"architecture":"amd64","os":"linux","rootfs":{"type":"layers","diff_ids":[]}`
	given := []byte(`{` + rootfs + `,"author":"somebody","os.version":"1","os.features":["win32k"],"docker_version":"27","container":"",
		"config":{"Env":["A=b"],"Healthcheck":{"Test": ["CMD", "true"]},"OnBuild":["RUN true"],"Shell":["/bin/sh","-ec"],"Image":"sha256:x","Hostname":"","Tty":false,"future":{"a":1}}}`)
	c, err := ParseConfig(given)
	if err != nil {
		t.Fatal(err)
	}
	x, dropped, err := parseExtra(given, c)
	if err != nil || !slices.Equal(dropped, []string{"docker_version", "Image", "OnBuild"}) {
		t.Fatalf("dropped %q, %v", dropped, err)
	}
	data, err := json.Marshal(x) // it is remembered so
	if err != nil {
		t.Fatal(err)
	}
	var remembered Extra
	if err := json.Unmarshal(data, &remembered); err != nil {
		t.Fatal(err)
	}
	d := digest.FromString("x")
	img, err := Build(ImageSpec{Platform: c.Platform, Created: time.Unix(7, 0), Config: c.Config, Extra: remembered,
		Layers: []LayerRef{{Descriptor: v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: d, Size: 1}, DiffID: d}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"author":"somebody"`, `"os.version":"1"`, `"os.features":["win32k"]`,
		`"config":{"Env":["A=b"],"Healthcheck":{"Test":["CMD","true"]},"Shell":["/bin/sh","-ec"],"future":{"a":1}}`} {
		if !bytes.Contains(img.Config, []byte(want)) {
			t.Errorf("%s is not in %s", want, img.Config)
		}
	}
	if bytes.Count(img.Config, []byte(`"config"`)) != 1 {
		t.Errorf("two configs: %s", img.Config)
	}
	if x, dropped, err := parseExtra(img.Config, c); err != nil || len(dropped) != 0 || len(x.Config) != 3 {
		t.Errorf("read again: %+v, dropped %q, %v", x, dropped, err)
	}
	if x, _, err := parseExtra([]byte(`{`+rootfs+`,"config":null}`), v1.Image{}); err != nil || !x.IsZero() {
		t.Errorf("nothing: %+v, %v", x, err)
	}
	if _, _, err := parseExtra([]byte(`{"config":[1]}`), v1.Image{}); err == nil {
		t.Error("a config that is none is taken")
	}
}
