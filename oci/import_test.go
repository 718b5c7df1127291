package oci

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

func TestParseReference(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]Reference{
		"oci:dir:x86-64bit/generic_64/host": {"oci", "/base/dir", "x86-64bit/generic_64/host"},
		"oci:../dir":                        {"oci", "/dir", ""},
		"oci:/dir:a:b":                      {"oci", "/dir", "a:b"},
		"oci-archive:f.tar:r":               {"oci-archive", "/base/f.tar", "r"},
		"docker-archive:f.tar:a/b:1":        {"docker-archive", "/base/f.tar", "a/b:1"},
		"docker-archive:f.tar:@1":           {"docker-archive", "/base/f.tar", "@1"},
	} {
		got, err := parseReference(s, "/base")
		if err != nil || got != want {
			t.Errorf("%s: %+v %v", s, got, err)
		}
		again, err := parseReference(got.String(), "/elsewhere")
		if err != nil || again != got {
			t.Errorf("%s: again %+v %v", s, again, err)
		}
	}
	for _, s := range []string{"", "oci", "oci:", "oci::x", "oci:d:", "oci:d:a b", "oci:d:../x", "oci:d:@0", "debian", "docker://debian", "ocidir:x", "OCI:x"} {
		if got, err := parseReference(s, ""); !errors.Is(err, errReference) {
			t.Errorf("%q: %+v %v", s, got, err)
		}
	}
}

// pack writes a directory as a tar file, with "./" before the names as GNU tar does with "-C dir .".
func pack(t testing.TB, dir, to string, compressed bool) {
	t.Helper()
	var b bytes.Buffer
	var out io.Writer = &b
	z := gzip.NewWriter(&b)
	if compressed {
		out = z
	}
	w := tar.NewWriter(out)
	err := filepath.WalkDir(dir, func(p string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		h, err := tar.FileInfoHeader(info, "")
		if err != nil {
			return err
		}
		h.Name = "./" + rel
		if err := w.WriteHeader(h); err != nil || e.IsDir() {
			return err
		}
		data, err := os.ReadFile(p)
		if err != nil {
			return err
		}
		_, err = w.Write(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if compressed {
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.WriteFile(to, b.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
}

// The same image from a layout and from plain and compressed archives of it.
func TestImport(t *testing.T) {
	t.Parallel()
	m := newMemory()
	empty := addLayer(t, m, v1.MediaTypeImageLayerGzip, nil)
	img := addImage(t, m, amd64,
		addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"a": "1"}), empty,
		addLayer(t, m, v1.MediaTypeImageLayerZstd, map[string]string{"a": strings.Repeat("2", 1<<20)}),
		addLayer(t, m, v1.MediaTypeImageLayer, map[string]string{"a": "3"}), empty)
	tmp := filepath.Join(t.TempDir(), "with:colon")
	mustExport(t, m, filepath.Join(tmp, "l"), Ref{Name: "x/y", Descriptor: img.Descriptor})
	pack(t, filepath.Join(tmp, "l"), filepath.Join(tmp, "l.tar"), false)
	pack(t, filepath.Join(tmp, "l"), filepath.Join(tmp, "l.tgz"), true)
	config, err := ParseConfig(img.Config)
	if err != nil {
		t.Fatal(err)
	}
	work := t.TempDir()
	for _, ref := range []string{"oci:l:x/y", "oci:l", "oci-archive:l.tar:x/y", "oci-archive:l.tar", "oci-archive:l.tgz:x/y"} {
		o := ImportOptions{baseDir: tmp, TempDir: work, Platform: &amd64}
		id, err := resolveText(t.Context(), ref, o)
		if err != nil || id != img.Descriptor.Digest {
			t.Errorf("%s: resolve: %s %v", ref, id, err)
		}
		out := newMemory()
		got, err := importText(t.Context(), ref, out, o)
		if err != nil {
			t.Errorf("%s: %v", ref, err)
			continue
		}
		if got.id != id || !reflect.DeepEqual(got.Config, config) || len(got.Layers) != 5 || len(out.blobs) != 4 {
			t.Errorf("%s: %+v", ref, got)
		}
		for i, l := range got.Layers {
			if !reflect.DeepEqual(l.Descriptor, img.Layers[i]) || l.DiffID != config.RootFS.DiffIDs[i] || out.blobs[l.Descriptor.Digest] == nil {
				t.Errorf("%s: layer %d: %+v, want %+v", ref, i, l, img.Layers[i])
			}
			if want := map[bool]int64{true: 1024, false: 2048}[i == 1 || i == 4]; i != 2 && l.Size != want {
				t.Errorf("%s: layer %d: size %d, want %d", ref, i, l.Size, want)
			}
		}
		if left, err := os.ReadDir(work); err != nil || len(left) > 0 {
			t.Errorf("%s: left in the temporary directory: %v %v", ref, left, err)
		}
	}
}

func TestImportWhatIsNotThere(t *testing.T) {
	t.Parallel()
	m := newMemory()
	tmp := t.TempDir()
	mustExport(t, m, filepath.Join(tmp, "l"), Ref{Name: "one", Descriptor: simpleImage(t, m, "1").Descriptor}, Ref{Name: "two/x", Descriptor: simpleImage(t, m, "2").Descriptor})
	pack(t, filepath.Join(tmp, "l"), filepath.Join(tmp, "l.tar"), false)
	mustExport(t, m, filepath.Join(tmp, "empty"))
	if err := os.WriteFile(filepath.Join(tmp, "text"), bytes.Repeat([]byte("text\n"), 1000), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(filepath.Join(tmp, "pipe"), 0o644); err != nil {
		t.Fatal(err)
	}
	arm := &v1.Platform{OS: "linux", Architecture: "arm64"}
	for _, tt := range []struct {
		ref      string
		platform *v1.Platform
		want     error
		hint     string
	}{
		{"oci:none:one", nil, fs.ErrNotExist, ""},
		{"oci:l:three", nil, errRefNotFound, "one, two/x"},
		{"oci:l", nil, ErrAmbiguous, "one, two/x"},
		{"oci:empty", nil, errRefNotFound, ""},
		{"oci:empty:x", nil, errRefNotFound, "no named image"},
		{"oci:l:one", arm, errPlatform, ""},
		{"oci:l.tar:one", nil, ErrNotLayout, "oci-archive"},
		{"oci:pipe:one", nil, ErrNotLayout, ""},
		{"oci-archive:none.tar:one", nil, fs.ErrNotExist, ""},
		{"oci-archive:l.tar:three", nil, errRefNotFound, "one, two/x"},
		{"oci-archive:l.tar", nil, ErrAmbiguous, "one, two/x"},
		{"oci-archive:text:one", nil, errInvalid, ""},
		{"oci-archive:pipe:one", nil, errInvalid, ""},
		{"oci-archive:l:one", nil, errInvalid, ""},
		{"docker-archive:none.tar:one", nil, fs.ErrNotExist, ""},
		{"docker-archive:text", nil, errInvalid, ""},
		{"docker-archive:pipe", nil, errInvalid, ""},
		{"docker-archive:l.tar", nil, errInvalid, ""},
	} {
		_, err := importText(t.Context(), tt.ref, newMemory(), ImportOptions{baseDir: tmp, TempDir: tmp, Platform: tt.platform})
		_, path, _ := strings.Cut(tt.ref, ":")
		if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tmp+"/"+path) {
			t.Errorf("%s: %v, want %v", tt.ref, err, tt.want)
			continue
		}
		if tt.hint != "" && !strings.Contains(hintOf(t, err), tt.hint) {
			t.Errorf("%s: hint %q", tt.ref, hintOf(t, err))
		}
	}
}

// spoil changes what a layout says of its image, keeping all digests of documents right.
func spoil(t *testing.T, m *memory, img *Image, change func(*v1.Manifest, *v1.Image)) string {
	t.Helper()
	var manifest v1.Manifest
	var config v1.Image
	for data, v := range map[*[]byte]any{&img.Manifest: &manifest, &img.Config: &config} {
		if err := json.Unmarshal(*data, v); err != nil {
			t.Fatal(err)
		}
	}
	change(&manifest, &config)
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	if manifest.Config.Digest == img.ConfigDescriptor.Digest {
		manifest.Config.Digest, manifest.Config.Size = m.put(data), int64(len(data))
	}
	if data, err = json.Marshal(manifest); err != nil {
		t.Fatal(err)
	}
	index, err := json.Marshal(v1.Index{Manifests: []v1.Descriptor{descriptorOf(v1.MediaTypeImageManifest, data)}})
	if err != nil {
		t.Fatal(err)
	}
	content := map[string]string{"oci-layout": layoutFile, "index.json": strings.Replace(string(index), `"schemaVersion":0`, `"schemaVersion":2`, 1)}
	m.put(data)
	for d, b := range m.blobs {
		content["blobs/sha256/"+d.Encoded()] = string(b)
	}
	return write(t, content)
}

func TestImportRefusesLies(t *testing.T) {
	t.Parallel()
	never := "sha256:" + strings.Repeat("a", 64)
	for name, tt := range map[string]struct {
		change func(*v1.Manifest, *v1.Image)
		want   error
	}{
		"the truth":        {func(*v1.Manifest, *v1.Image) {}, nil},
		"diff id":          {func(_ *v1.Manifest, c *v1.Image) { c.RootFS.DiffIDs[0] = digest.Digest(never) }, errMismatch},
		"fewer diff ids":   {func(_ *v1.Manifest, c *v1.Image) { c.RootFS.DiffIDs = nil }, errInvalid},
		"rootfs type":      {func(_ *v1.Manifest, c *v1.Image) { c.RootFS.Type = "x" }, errInvalid},
		"no architecture":  {func(_ *v1.Manifest, c *v1.Image) { c.Architecture = "" }, errInvalid},
		"layer size":       {func(m *v1.Manifest, _ *v1.Image) { m.Layers[0].Size++ }, errMismatch},
		"layer size less":  {func(m *v1.Manifest, _ *v1.Image) { m.Layers[0].Size-- }, errMismatch},
		"layer size none":  {func(m *v1.Manifest, _ *v1.Image) { m.Layers[0].Size = -1 }, errInvalid},
		"layer missing":    {func(m *v1.Manifest, _ *v1.Image) { m.Layers[0].Digest = digest.Digest(never) }, fs.ErrNotExist},
		"layer media type": {func(m *v1.Manifest, _ *v1.Image) { m.Layers[0].MediaType += "+encrypted" }, errInvalid},
		"config is layer":  {func(m *v1.Manifest, _ *v1.Image) { m.Config.MediaType = v1.MediaTypeEmptyJSON }, errInvalid},
		"config missing":   {func(m *v1.Manifest, _ *v1.Image) { m.Config.Digest = digest.Digest(never) }, fs.ErrNotExist},
		"config size": {func(m *v1.Manifest, _ *v1.Image) {
			m.Config.Digest = digest.Digest(never)
			m.Config.Size = maxDocument + 1
		}, errInvalid},
		"path as digest": {func(m *v1.Manifest, _ *v1.Image) { m.Layers[0].Digest = "sha256:../../../etc/passwd" }, errInvalid},
		"algorithm": {func(m *v1.Manifest, _ *v1.Image) {
			m.Layers[0].Digest = digest.Digest("sha384:" + strings.Repeat("a", 96))
		}, errInvalid},
		"manifest version": {func(m *v1.Manifest, _ *v1.Image) { m.SchemaVersion = 1 }, errInvalid},
		"docker's names": {func(m *v1.Manifest, _ *v1.Image) {
			m.MediaType, m.Config.MediaType, m.Layers[0].MediaType = dockerManifest, dockerConfig, dockerLayerGzip
		}, nil},
		"wrong compression": {func(m *v1.Manifest, _ *v1.Image) { m.Layers[0].MediaType = v1.MediaTypeImageLayerZstd }, nil},
	} {
		m := newMemory()
		img := simpleImage(t, m, "1")
		dir := spoil(t, m, img, tt.change)
		out := newMemory()
		got, err := importText(t.Context(), "oci:"+dir, out, ImportOptions{})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v, want %v", name, err, tt.want)
		}
		if err != nil && len(out.blobs) > 0 {
			t.Errorf("%s: a layer was committed", name)
		}
		if err == nil && got.Layers[0].Descriptor.MediaType != v1.MediaTypeImageLayerGzip {
			t.Errorf("%s: media type %s", name, got.Layers[0].Descriptor.MediaType)
		}
	}
}

// Any byte of a layer that changes, and any byte at which it ends, is found.
func TestImportOfDamagedLayers(t *testing.T) {
	t.Parallel()
	for _, mediaType := range []string{v1.MediaTypeImageLayer, v1.MediaTypeImageLayerGzip, v1.MediaTypeImageLayerZstd} {
		m := newMemory()
		img := addImage(t, m, amd64, addLayer(t, m, mediaType, map[string]string{"a": "1"}))
		dir := t.TempDir()
		mustExport(t, m, dir, Ref{Name: "x", Descriptor: img.Descriptor})
		d := img.Layers[0]
		p, err := (&Layout{dir: dir}).path(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		whole := m.blobs[d.Digest]
		for i := 0; i < len(whole); i += 1 + len(whole)/40 {
			changed := append([]byte{}, whole...)
			changed[i] ^= 0x40
			for what, data := range map[string][]byte{"changed": changed, "cut": whole[:i], "longer": append(append([]byte{}, whole...), whole[:i+1]...)} {
				if err := os.WriteFile(p, data, 0o644); err != nil {
					t.Fatal(err)
				}
				out := newMemory()
				_, err := importText(t.Context(), "oci:"+dir, out, ImportOptions{})
				if !errors.Is(err, errMismatch) && !errors.Is(err, errInvalid) && !strings.Contains(err.Error(), "unpack layer") || len(out.blobs) > 0 {
					t.Errorf("%s: %s at %d: %v", mediaType, what, i, err)
				}
			}
		}
	}
}

func TestImportEnds(t *testing.T) {
	t.Parallel()
	m := newMemory()
	img := addImage(t, m, amd64, addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"a": strings.Repeat("x", 1<<20)}))
	dir := t.TempDir()
	mustExport(t, m, dir, Ref{Name: "x", Descriptor: img.Descriptor})
	full := newMemory()
	full.limit = 10
	if _, err := importText(t.Context(), "oci:"+dir, full, ImportOptions{}); !errors.Is(err, syscall.ENOSPC) || full.aborts != 1 {
		t.Errorf("full disk: %v, %d aborts", err, full.aborts)
	}
	ctx, cancel := context.WithCancel(t.Context())
	sink := sinkFunc(func(ctx context.Context) (BlobWriter, error) {
		cancel()
		return m.Create(ctx)
	})
	if _, err := importText(ctx, "oci:"+dir, sink, ImportOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
