package oci

import (
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
)

func TestExport(t *testing.T) {
	t.Parallel()
	m := newMemory()
	a, b := simpleImage(t, m, "1"), simpleImage(t, m, "2")
	dir := filepath.Join(t.TempDir(), "x", "y")
	r := mustExport(t, m, dir, Ref{Name: "p/a", Descriptor: a.Descriptor}, Ref{Name: "b", Descriptor: b.Descriptor, Blobs: b.blobs()})
	if !r.Changed || r.Copied != 6 || r.removed != 0 {
		t.Errorf("%+v", r)
	}
	if got := refNames(t, dir); got != "b p/a" {
		t.Error(got)
	}
	for _, d := range append(append(a.blobs(), b.blobs()...), a.Descriptor, b.Descriptor) {
		if !hasBlob(t, dir, d) {
			t.Errorf("blob %s is missing", d.Digest)
		}
	}
	// In another order, in two steps: the same bytes.
	other := t.TempDir()
	mustExport(t, m, other, Ref{Name: "b", Descriptor: b.Descriptor})
	mustExport(t, m, other, Ref{Name: "p/a", Descriptor: a.Descriptor})
	if x, y := files(t, dir), files(t, other); x != y {
		t.Errorf("not the same:\n%s\n%s", x, y)
	}
}

// Nothing to do: no blob is opened, in the source or in the layout, and nothing is written.
func TestExportNothingToDo(t *testing.T) {
	t.Parallel()
	m := newMemory()
	a := simpleImage(t, m, "1")
	dir := t.TempDir()
	ref := Ref{Name: "a", Descriptor: a.Descriptor, Blobs: a.blobs()}
	mustExport(t, m, dir, ref)
	before, err := os.Stat(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	never := SourceFunc(func(context.Context, digest.Digest) (io.ReadCloser, error) {
		t.Error("a blob was opened")
		return nil, fs.ErrNotExist
	})
	r, err := Export(t.Context(), never, dir, []Ref{ref}, ExportOptions{})
	if err != nil || r != (ExportResult{}) {
		t.Errorf("%+v %v", r, err)
	}
	after, err := os.Stat(filepath.Join(dir, "index.json"))
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("index.json was written again: %v", err)
	}
	// Without the list of blobs the manifest is read, and no layer.
	m.opened = nil
	mustExport(t, m, dir, Ref{Name: "a", Descriptor: a.Descriptor})
	if len(m.opened) != 1 || m.opened[0] != a.Descriptor.Digest {
		t.Errorf("opened %v", m.opened)
	}
}

// What is missing, cut short or (a document) changed is brought again; the rest is left alone.
func TestExportRepairs(t *testing.T) {
	t.Parallel()
	m := newMemory()
	a := simpleImage(t, m, "1")
	b := simpleImage(t, m, "2")
	dir := t.TempDir()
	ref := Ref{Name: "a", Descriptor: a.Descriptor}
	mustExport(t, m, dir, ref)
	whole := files(t, dir)
	l := &Layout{dir: dir}
	for _, d := range append(a.blobs(), a.Descriptor) {
		p, err := l.path(d.Digest)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Truncate(p, d.Size-1); err != nil {
			t.Fatal(err)
		}
		if r := mustExport(t, m, dir, ref); r.Copied != 1 || r.Changed {
			t.Errorf("truncated: %+v", r)
		}
		if err := os.Remove(p); err != nil {
			t.Fatal(err)
		}
		if r := mustExport(t, m, dir, ref); r.Copied != 1 {
			t.Errorf("removed: %+v", r)
		}
	}
	if got := files(t, dir); got != whole {
		t.Errorf("%s\n%s", got, whole)
	}
	p, err := l.path(a.ConfigDescriptor.Digest)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(p, []byte(strings.Repeat("x", int(a.ConfigDescriptor.Size))), 0o644); err != nil {
		t.Fatal(err)
	}
	if r := mustExport(t, m, dir, ref, Ref{Name: "b", Descriptor: b.Descriptor}); r.Copied != 4 {
		t.Errorf("%+v", r)
	}
	// What a killed build left goes, what looks otherwise stays.
	blobs := filepath.Join(dir, "blobs", "sha256")
	name := strings.Repeat("a", 64)
	for _, n := range []string{filepath.Join(blobs, "."+name+".ABC234.part"), filepath.Join(dir, ".index.json.ABC234.part"), filepath.Join(dir, ".notes.part"), filepath.Join(blobs, name)} {
		if err := os.WriteFile(n, nil, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	mustExport(t, m, dir, Ref{Name: "c", Descriptor: b.Descriptor})
	got := files(t, dir)
	if strings.Contains(got, "ABC234") || !strings.Contains(got, ".notes.part") || !strings.Contains(got, name) {
		t.Error(got)
	}
}

func TestReplacedReferences(t *testing.T) {
	t.Parallel()
	m := newMemory()
	base := addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"base": "x"})
	one, two := addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"n": "1"}), addLayer(t, m, v1.MediaTypeImageLayerGzip, map[string]string{"n": "2"})
	old, kept, fresh := addImage(t, m, amd64, base, one), addImage(t, m, amd64, base), addImage(t, m, amd64, base, two)
	dir := t.TempDir()
	mustExport(t, m, dir, Ref{Name: "a", Descriptor: old.Descriptor}, Ref{Name: "b", Descriptor: old.Descriptor}, Ref{Name: "k", Descriptor: kept.Descriptor})
	// b still needs what a had.
	if r := mustExport(t, m, dir, Ref{Name: "a", Descriptor: fresh.Descriptor}); r.removed != 0 || r.Copied != 3 {
		t.Errorf("%+v", r)
	}
	stray := filepath.Join(dir, "blobs", "sha256", strings.Repeat("c", 64))
	if err := os.WriteFile(stray, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if r := mustExport(t, m, dir, Ref{Name: "b", Descriptor: fresh.Descriptor}); r.removed != 3 || r.Copied != 0 {
		t.Errorf("%+v", r)
	}
	for d, want := range map[*v1.Descriptor]bool{
		&old.Descriptor: false, &old.ConfigDescriptor: false, &one.Descriptor: false,
		&base.Descriptor: true, &kept.Descriptor: true, &fresh.Descriptor: true, &two.Descriptor: true,
	} {
		if got := hasBlob(t, dir, *d); got != want {
			t.Errorf("blob %s: there is %v", d.Digest, got)
		}
	}
	if _, err := os.Stat(stray); err != nil {
		t.Error("a blob that nothing refers to was not ours to remove")
	}
	if got := refNames(t, dir); got != "a b k" {
		t.Error(got)
	}
}

// Where an entry may refer to anything, nothing is removed.
func TestReplacedBesideTheUnknown(t *testing.T) {
	t.Parallel()
	for name, entry := range map[string]string{
		"unknown kind":     `{"mediaType":"text/plain","digest":"sha256:` + strings.Repeat("b", 64) + `","size":7}`,
		"missing manifest": `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + strings.Repeat("b", 64) + `","size":7}`,
	} {
		dir := write(t, map[string]string{"oci-layout": layoutFile, "index.json": `{"schemaVersion":2,"manifests":[` + entry + `]}`})
		m := newMemory()
		old := simpleImage(t, m, "1")
		mustExport(t, m, dir, Ref{Name: "a", Descriptor: old.Descriptor})
		if r := mustExport(t, m, dir, Ref{Name: "a", Descriptor: simpleImage(t, m, "2").Descriptor}); r.removed != 0 || !hasBlob(t, dir, old.Descriptor) {
			t.Errorf("%s: %+v", name, r)
		}
	}
}

func TestExportIndex(t *testing.T) {
	t.Parallel()
	m := newMemory()
	index := func(texts ...string) v1.Descriptor {
		var entries []v1.Descriptor
		for i, s := range texts {
			p := v1.Platform{OS: "linux", Architecture: []string{"amd64", "arm64"}[i]}
			d := addImage(t, m, p, addLayer(t, m, v1.MediaTypeImageLayer, map[string]string{"f": s})).Descriptor
			d.Platform = &p
			entries = append(entries, d)
		}
		data, desc, err := BuildIndex(entries, nil)
		if err != nil {
			t.Fatal(err)
		}
		m.put(data)
		return desc
	}
	dir := t.TempDir()
	if r := mustExport(t, m, dir, Ref{Name: "a", Descriptor: index("1", "2")}); r.Copied != 7 {
		t.Errorf("%+v", r)
	}
	// One platform changes: index, manifest, config and layer are new, their predecessors go.
	if r := mustExport(t, m, dir, Ref{Name: "a", Descriptor: index("1", "3")}); r.Copied != 4 || r.removed != 4 {
		t.Errorf("%+v", r)
	}
}

func TestExportFailsWhole(t *testing.T) {
	t.Parallel()
	m := newMemory()
	good, bad := simpleImage(t, m, "1"), simpleImage(t, m, "2")
	layer := bad.Layers[0].Digest
	content := m.blobs[layer]
	spoilt := func(b []byte) []byte {
		c := append([]byte{}, b...)
		c[len(c)/2] ^= 1
		return c
	}
	for name, tt := range map[string]struct {
		blob []byte
		want error
	}{
		"missing":   {nil, fs.ErrNotExist},
		"changed":   {spoilt(content), errMismatch},
		"too short": {content[:len(content)-1], errMismatch},
		"too long":  {append(append([]byte{}, content...), 0), errMismatch},
	} {
		if m.blobs[layer] = tt.blob; tt.blob == nil {
			delete(m.blobs, layer)
		}
		for _, parent := range []string{t.TempDir(), filepath.Join(t.TempDir(), "new", "dir")} {
			_, err := Export(t.Context(), m, parent, []Ref{{Name: "bad", Descriptor: bad.Descriptor}}, ExportOptions{})
			if !errors.Is(err, tt.want) {
				t.Errorf("%s: %v", name, err)
			}
			if entries, err := os.ReadDir(parent); len(entries) > 0 || strings.HasSuffix(parent, "dir") && !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: left behind: %v %v", name, entries, err)
			}
		}
		dir := t.TempDir()
		mustExport(t, m, dir, Ref{Name: "x", Descriptor: good.Descriptor})
		before := files(t, dir)
		_, err := Export(t.Context(), m, dir, []Ref{{Name: "x", Descriptor: bad.Descriptor}}, ExportOptions{})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if after := files(t, dir); after != before {
			t.Errorf("%s: changed from\n%sto\n%s", name, before, after)
		}
	}
}

func TestExportRefuses(t *testing.T) {
	t.Parallel()
	m := newMemory()
	d := simpleImage(t, m, "1").Descriptor
	for name, tt := range map[string]struct {
		refs []Ref
		want error
	}{
		"twice":   {[]Ref{{Name: "a", Descriptor: d}, {Name: "a", Descriptor: d}}, errReference},
		"no name": {[]Ref{{Descriptor: d}}, errReference},
		"a layer": {[]Ref{{Name: "a", Descriptor: v1.Descriptor{MediaType: v1.MediaTypeImageLayer, Digest: d.Digest}}}, errInvalid},
		"blobs":   {[]Ref{{Name: "a", Descriptor: d, Blobs: []v1.Descriptor{{Digest: "sha256:../x"}}}}, errInvalid},
	} {
		dir := filepath.Join(t.TempDir(), "x")
		if _, err := Export(t.Context(), m, dir, tt.refs, ExportOptions{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s: made the directory", name)
		}
	}
}
