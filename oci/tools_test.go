package oci

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/pgzip"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"github.com/opencontainers/umoci/oci/cas/dir"
	"github.com/opencontainers/umoci/oci/casext"

	"xtoo/internal/testutil"
)

// threeLayers exports an image with a layer of each compression and gives the layout's directory.
func threeLayers(t *testing.T) (string, *Image) {
	t.Helper()
	m := newMemory()
	s := fullSpec(t)
	s.Platform = amd64
	s.Config.User = ""
	s.Layers = []LayerRef{
		addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"etc/a": "1", "etc/gone": "x"}),
		addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"etc/b": "2", "etc/.wh.gone": ""}),
		addLayer(t, m, v1.MediaTypeImageLayer, map[string]string{"etc/c": "3"}),
	}
	img, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	m.put(img.Config)
	m.put(img.Manifest)
	dir := filepath.Join(t.TempDir(), "layout")
	mustExport(t, m, dir, Ref{Name: "x86-64bit/generic_64/host", Descriptor: img.Descriptor}, Ref{Name: "other", Descriptor: simpleImage(t, m, "o").Descriptor})
	return dir, img
}

func TestSkopeoReadsALayout(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "skopeo")
	dir, img := threeLayers(t)
	var inspected struct {
		Digest       string
		Created      string
		Architecture string
		Labels       map[string]string
		Layers       []string
		Env          []string
	}
	out := testutil.Run(t, "skopeo", "inspect", "oci:"+dir+":x86-64bit/generic_64/host")
	if err := json.Unmarshal([]byte(out), &inspected); err != nil {
		t.Fatal(err)
	}
	if inspected.Digest != img.Descriptor.Digest.String() || inspected.Created != "2022-06-16T01:02:03Z" || inspected.Architecture != "amd64" ||
		inspected.Labels["m"] != "<3>" || len(inspected.Layers) != 3 || inspected.Env[1] != "A=b&c" {
		t.Error(out)
	}
}

// Through skopeo into each kind of archive and back in.
func TestImportOfWhatSkopeoWrites(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "skopeo")
	dir, img := threeLayers(t)
	config, err := ParseConfig(img.Config)
	if err != nil {
		t.Fatal(err)
	}
	from := "oci:" + dir + ":x86-64bit/generic_64/host"
	tmp := t.TempDir()
	for _, to := range []string{"oci:l:a/b", "oci-archive:oci.tar:a/b", "docker-archive:docker.tar:a/b:1"} {
		transport, rest, _ := strings.Cut(to, ":")
		testutil.Run(t, "skopeo", "--insecure-policy", "--tmpdir", tmp, "copy", from, transport+":"+filepath.Join(tmp, rest))
		recompressed := 0
		m := newMemory()
		o := ImportOptions{baseDir: tmp, TempDir: t.TempDir(), Platform: &amd64}
		o.recompress = func(ctx context.Context, tar io.Reader) (v1.Descriptor, error) {
			recompressed++
			w, err := m.Create(ctx)
			if err != nil {
				return v1.Descriptor{}, err
			}
			z := pgzip.NewWriter(w)
			if _, err := io.Copy(z, tar); err != nil {
				return v1.Descriptor{}, err
			}
			if err := z.Close(); err != nil {
				return v1.Descriptor{}, err
			}
			d, size, err := w.Commit()
			return v1.Descriptor{MediaType: v1.MediaTypeImageLayerGzip, Digest: d, Size: size}, err
		}
		id, err := resolveText(t.Context(), to, o)
		if err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		got, err := importText(t.Context(), to, m, o)
		if err != nil {
			t.Errorf("%s: %v", to, err)
			continue
		}
		if got.id != id || len(got.Layers) != 3 || fmt.Sprint(got.Config.RootFS.DiffIDs) != fmt.Sprint(config.RootFS.DiffIDs) || len(got.Config.History) != 4 {
			t.Errorf("%s: %+v", to, got)
		}
		if want := map[bool]int{true: 3}[transport == "docker-archive"]; recompressed != want {
			t.Errorf("%s: %d layers recompressed, want %d", to, recompressed, want)
		}
		for i, l := range got.Layers {
			if l.DiffID != config.RootFS.DiffIDs[i] || l.Size < 1024 || m.blobs[l.Descriptor.Digest] == nil {
				t.Errorf("%s: layer %d: %+v", to, i, l)
			}
		}
	}
	// The ways to name an image of a docker-archive, and what is said when it is not there.
	o := ImportOptions{baseDir: tmp, TempDir: t.TempDir()}
	for _, ref := range []string{"docker-archive:docker.tar", "docker-archive:docker.tar:a/b:1", "docker-archive:docker.tar:docker.io/a/b:1", "docker-archive:docker.tar:@0"} {
		if got, err := importText(t.Context(), ref, newMemory(), o); err != nil || got.Layers[0].Descriptor.MediaType != v1.MediaTypeImageLayer {
			t.Errorf("%s: %v", ref, err)
		}
	}
	for _, ref := range []string{"docker-archive:docker.tar:a/b", "docker-archive:docker.tar:@1", "docker-archive:docker.tar:@x", "docker-archive:docker.tar:zzz:1"} {
		if _, err := importText(t.Context(), ref, newMemory(), o); err == nil || !strings.Contains(hintOf(t, err), "a/b:1") {
			t.Errorf("%s: %v", ref, err)
		}
	}
	colon := filepath.Join(tmp, "with:colon")
	if err := os.Mkdir(colon, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(tmp, "docker.tar"), filepath.Join(colon, "docker.tar")); err != nil {
		t.Fatal(err)
	}
	if _, err := importText(t.Context(), "docker-archive:docker.tar:a/b:1", newMemory(), ImportOptions{baseDir: colon}); err != nil {
		t.Error(err)
	}
	// Compressed as a whole.
	testutil.Run(t, "gzip", "-kf", filepath.Join(tmp, "docker.tar"))
	if _, err := importText(t.Context(), "docker-archive:docker.tar.gz:a/b:1", newMemory(), o); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(o.TempDir); err != nil || len(left) > 0 {
		t.Errorf("left in the temporary directory: %v %v", left, err)
	}
	// Damaged and truncated docker archives.
	data, err := os.ReadFile(filepath.Join(tmp, "docker.tar"))
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(data), "etc/c")
	data[at] = 'x'
	if err := os.WriteFile(filepath.Join(tmp, "bad.tar"), data, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := importText(t.Context(), "docker-archive:bad.tar", newMemory(), o); err == nil {
		t.Error("a changed layer was imported")
	}
	for n := 0; n < len(data); n += 1 + len(data)/30 {
		if err := os.WriteFile(filepath.Join(tmp, "bad.tar"), data[:n], 0o644); err != nil {
			t.Fatal(err)
		}
		for _, ref := range []string{"docker-archive:bad.tar", "oci-archive:bad.tar"} {
			if _, err := importText(t.Context(), ref, newMemory(), o); err == nil {
				t.Errorf("%s cut at %d of %d was imported", ref, n, len(data))
			}
		}
	}
}

func TestUmociUnpacksALayout(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "umoci")
	dir, _ := threeLayers(t)
	bundle := filepath.Join(t.TempDir(), "bundle")
	args := []string{"unpack", "--image", dir + ":x86-64bit/generic_64/host", bundle}
	if os.Geteuid() != 0 {
		args = append(args[:1:1], append([]string{"--rootless"}, args[1:]...)...)
	}
	testutil.Run(t, "umoci", args...)
	var got []string
	for _, name := range []string{"a", "b", "c", "gone"} {
		data, err := os.ReadFile(filepath.Join(bundle, "rootfs", "etc", name))
		if err != nil && name != "gone" {
			t.Error(err)
		}
		got = append(got, string(data))
	}
	if strings.Join(got, ",") != "1,2,3," {
		t.Error(got)
	}
	// What umoci thinks is garbage: nothing.
	before := files(t, dir)
	testutil.Run(t, "umoci", "gc", "--layout", dir)
	if after := files(t, dir); after != before {
		t.Errorf("umoci gc changed\n%sto\n%s", before, after)
	}
}

func TestImportOfWhatUmociWrites(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "umoci")
	tmp := t.TempDir()
	dir := filepath.Join(tmp, "u")
	testutil.Run(t, "umoci", "init", "--layout", dir)
	testutil.Run(t, "umoci", "new", "--image", dir+":one")
	tree := write(t, map[string]string{"etc/x": "y"})
	testutil.Run(t, "umoci", "insert", "--rootless", "--image", dir+":one", tree, "/inserted")
	testutil.Run(t, "umoci", "config", "--image", dir+":one", "--config.env", "A=1", "--config.label", "l=2")
	m := newMemory()
	got, err := importText(t.Context(), "oci:"+dir+":one", m, ImportOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if len(got.Layers) != 1 || got.Layers[0].Descriptor.MediaType != v1.MediaTypeImageLayerGzip || got.Config.Config.Labels["l"] != "2" {
		t.Errorf("%+v", got)
	}
	// A child of it, into the same layout: umoci reads both.
	s := ImageSpec{Platform: got.Config.Platform, Created: epoch, Config: got.Config.Config, History: got.Config.History}
	for _, l := range got.Layers {
		s.Layers = append(s.Layers, l.LayerRef)
	}
	s.Layers = append(s.Layers, addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"child": "x"}))
	s.History = append(s.History, NodeHistory("child", "", epoch, false))
	img, err := Build(s)
	if err != nil {
		t.Fatal(err)
	}
	m.put(img.Config)
	m.put(img.Manifest)
	mustExport(t, m, dir, Ref{Name: "two", Descriptor: img.Descriptor})
	if out := testutil.Run(t, "umoci", "ls", "--layout", dir); out != "one\ntwo\n" {
		t.Error(out)
	}
	if out := testutil.Run(t, "umoci", "stat", "--image", dir+":two"); !strings.Contains(out, "xtoo node child") {
		t.Error(out)
	}
}

// umoci's library, a reader of its own, finds every reference and verifies every blob.
func TestUmociLibraryWalksALayout(t *testing.T) {
	t.Parallel()
	path, _ := threeLayers(t)
	engine, err := dir.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	cas := casext.NewEngine(engine)
	defer cas.Close() // read only
	names, err := cas.ListReferences(t.Context())
	if err != nil || len(names) != 2 {
		t.Fatal(names, err)
	}
	blobs := 0
	for _, name := range names {
		paths, err := cas.ResolveReference(t.Context(), name)
		if err != nil || len(paths) != 1 {
			t.Fatal(paths, err)
		}
		err = cas.Walk(t.Context(), paths[0].Descriptor(), func(p casext.DescriptorPath) error {
			blobs++
			r, err := cas.GetVerifiedBlob(t.Context(), p.Descriptor())
			if err != nil {
				return err
			}
			if _, err := io.Copy(io.Discard, r); err != nil {
				return err
			}
			return r.Close()
		})
		if err != nil {
			t.Error(err)
		}
	}
	if blobs != 5+3 {
		t.Errorf("walked %d blobs", blobs)
	}
}

func TestPodmanTakesALayout(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "podman")
	testutil.NeedRoot(t)
	layout, img := threeLayers(t)
	tmp := t.TempDir()
	// podman makes a name of the path, and wants that in lower case.
	parent, err := os.MkdirTemp("", "xtoo-oci-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := os.RemoveAll(parent); err != nil {
			t.Error(err)
		}
	})
	dir := filepath.Join(parent, "layout")
	if err := os.CopyFS(dir, os.DirFS(layout)); err != nil {
		t.Fatal(err)
	}
	podman := func(args ...string) string {
		return testutil.Run(t, "podman", append([]string{"--root", filepath.Join(tmp, "root"), "--runroot", filepath.Join(tmp, "run"), "--storage-driver", "vfs"}, args...)...)
	}
	id := strings.TrimSpace(podman("pull", "-q", "oci:"+dir+":x86-64bit/generic_64/host"))
	if id != img.ConfigDescriptor.Digest.Encoded() {
		t.Errorf("podman calls the image %s, its config is %s", id, img.ConfigDescriptor.Digest)
	}
	if out := podman("image", "inspect", "--format", "{{.Architecture}} {{.Config.StopSignal}} {{len .RootFS.Layers}}", id); strings.TrimSpace(out) != "amd64 SIGRTMIN+3 3" {
		t.Error(out)
	}
	podman("image", "rm", id)
}
