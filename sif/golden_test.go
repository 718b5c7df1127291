package sif

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/testutil"
	"xtoo/layers/merge"
)

// TestGoldenSIF: the bytes of a SIF file of two layers, of which the upper one has a member of every kind.
func TestGoldenSIF(t *testing.T) {
	t.Parallel()
	var lower []testutil.Member
	for _, name := range []string{"bin/sh", "etc/shadow", "usr/bin/ping", "var/gone/file", "var/kept", "var/new/hidden"} {
		lower = append(lower, testutil.File(name, name).WithMode(0o755))
	}
	layer := func(stream []byte) merge.Layer {
		return merge.Layer{
			DiffID: digest.FromBytes(stream),
			Open:   func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(stream)), nil },
		}
	}
	created := time.Unix(1655382896, 0)
	img := Image{
		Layers: []merge.Layer{layer(testutil.GoldenTar(t, true)), layer(testutil.Tar(t, lower...))},
		Config: v1.Image{
			Created: &created, Author: "A", Platform: v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"},
			Config: v1.ImageConfig{
				User: "1000", Env: []string{"PATH=/bin", "TEXT=it's a \"$test\"", "B="}, Entrypoint: []string{"/bin/sh", "-c"}, Cmd: []string{"echo 'ä'"},
				WorkingDir: "/srv", Labels: map[string]string{"z": "1", "a": "<2>"}, Volumes: map[string]struct{}{"/b": {}, "/a": {}},
			},
		},
		Definition: []byte("Bootstrap: xtoo\nFrom: next/host\n"),
		Labels:     map[string]string{"org.example.a": "3", "a": "4"},
		Help:       "a help\n",
	}
	f, err := os.Create(filepath.Join(t.TempDir(), "golden.sif"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	info, err := Write(t.Context(), f, img, Options{})
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	if info.Size != int64(len(data)) || !strings.HasPrefix(string(data[32:]), "SIF_MAGIC") {
		t.Errorf("%d bytes instead of %d, and %q", len(data), info.Size, data[32:42])
	}
	testutil.Golden(t, "sif", digest.FromBytes(data))
}
