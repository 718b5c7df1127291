package oci

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// write makes files below a new directory; a name that ends in a slash is a directory.
func write(t testing.TB, content map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, data := range content {
		p := filepath.Join(dir, name)
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(p, 0o755); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.MkdirAll(filepath.Dir(p), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(p, []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const (
	layoutFile = `{"imageLayoutVersion": "1.0.0"}`
	emptyIndex = `{"schemaVersion":2,"manifests":[]}`
)

// What stands in the way of a layout is named, and is as it was afterwards.
func TestNotALayout(t *testing.T) {
	t.Parallel()
	m := newMemory()
	ref := Ref{Name: "x", Descriptor: simpleImage(t, m, "1").Descriptor}
	for name, tt := range map[string]struct {
		files map[string]string
		want  error
	}{
		"other files":          {map[string]string{"precious": "x"}, ErrNotLayout},
		"index alone":          {map[string]string{"index.json": emptyIndex}, ErrNotLayout},
		"blobs is a file":      {map[string]string{"blobs": "x"}, ErrNotLayout},
		"blobs and more":       {map[string]string{"blobs/": "", "a": ""}, ErrNotLayout},
		"oci-layout garbage":   {map[string]string{"oci-layout": "{", "index.json": emptyIndex}, errInvalid},
		"oci-layout version":   {map[string]string{"oci-layout": `{"imageLayoutVersion":"9"}`, "index.json": emptyIndex}, errInvalid},
		"oci-layout directory": {map[string]string{"oci-layout/": ""}, errInvalid},
		"index garbage":        {map[string]string{"oci-layout": layoutFile, "index.json": "\x00\xff"}, errInvalid},
		"index truncated":      {map[string]string{"oci-layout": layoutFile, "index.json": emptyIndex[:20]}, errInvalid},
		"index empty":          {map[string]string{"oci-layout": layoutFile, "index.json": ""}, errInvalid},
		"index of version 1":   {map[string]string{"oci-layout": layoutFile, "index.json": `{"schemaVersion":1}`}, errInvalid},
		"index is a manifest":  {map[string]string{"oci-layout": layoutFile, "index.json": `{"schemaVersion":2,"layers":[],"manifests":[]}`}, errInvalid},
		"index bad digest":     {map[string]string{"oci-layout": layoutFile, "index.json": `{"schemaVersion":2,"manifests":[{"digest":"sha256:../../x","size":1}]}`}, errInvalid},
		"index bad size":       {map[string]string{"oci-layout": layoutFile, "index.json": `{"schemaVersion":2,"manifests":[{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":-1}]}`}, errInvalid},
		"index twice":          {map[string]string{"oci-layout": layoutFile, "index.json": `{"schemaVersion":2,"manifests":[],"Manifests":[{"digest":"sha256:` + strings.Repeat("a", 64) + `","size":1}]}`}, errInvalid},
		"index too large":      {map[string]string{"oci-layout": layoutFile, "index.json": emptyIndex + strings.Repeat(" ", maxDocument)}, errInvalid},
	} {
		dir := write(t, tt.files)
		before := files(t, dir)
		_, err := Export(t.Context(), m, dir, []Ref{ref}, ExportOptions{})
		if !errors.Is(err, tt.want) {
			t.Errorf("%s: export: %v, want %v", name, err, tt.want)
		} else if !strings.Contains(err.Error(), dir) {
			t.Errorf("%s: the error does not name the directory: %v", name, err)
		}
		if _, err := OpenLayout(dir); !errors.Is(err, tt.want) {
			t.Errorf("%s: open: %v, want %v", name, err, tt.want)
		}
		if _, err := resolveText(t.Context(), "oci:"+dir+":x", ImportOptions{}); !errors.Is(err, tt.want) {
			t.Errorf("%s: resolve: %v, want %v", name, err, tt.want)
		}
		if after := files(t, dir); after != before {
			t.Errorf("%s: changed from\n%sto\n%s", name, before, after)
		}
	}
}

func TestLayoutIsAFile(t *testing.T) {
	t.Parallel()
	dir := write(t, map[string]string{"f": "x"})
	m := newMemory()
	ref := Ref{Name: "x", Descriptor: simpleImage(t, m, "1").Descriptor}
	for _, p := range []string{dir + "/f", dir + "/f/below"} {
		if _, err := Export(t.Context(), m, p, []Ref{ref}, ExportOptions{}); err == nil || !strings.Contains(err.Error(), p) {
			t.Errorf("%s: %v", p, err)
		}
	}
	if _, err := Export(t.Context(), m, dir+"/f", []Ref{ref}, ExportOptions{}); !errors.Is(err, ErrNotLayout) {
		t.Error(err)
	}
}

func TestBeginMakesALayout(t *testing.T) {
	t.Parallel()
	for name, content := range map[string]map[string]string{
		"empty":             {},
		"killed at once":    {".oci-layout.ABCDEFGHIJKL.part": "{"},
		"killed before end": {"oci-layout": layoutFile, "blobs/sha256/": "", ".index.json.ABCDEFGHIJKL.part": ""},
		"a new store":       {"blobs/sha256/": ""},
	} {
		dir := write(t, content)
		s, err := (&Layout{dir: dir}).begin(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		s.end(nil)
		if got, want := refNames(t, dir), ""; got != want {
			t.Errorf("%s: refs %q", name, got)
		}
		if name == "killed before end" {
			continue // it was a layout: nothing is written into it before something is put there
		}
		entries, err := os.ReadDir(dir)
		if err != nil || len(entries) != 2 { // index.json comes last
			t.Errorf("%s: %v %v", name, entries, err)
		}
	}
	missing := filepath.Join(t.TempDir(), "a", "b")
	if _, err := OpenLayout(missing); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestUnwritable(t *testing.T) {
	m := newMemory()
	ref := Ref{Name: "x", Descriptor: simpleImage(t, m, "1").Descriptor}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o555); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(filepath.Dir(dir), 0o755); err != nil { // as it is made, others may not even pass it
		t.Fatal(err)
	}
	full := filepath.Join(t.TempDir(), "full")
	mustExport(t, m, full, ref)
	for _, d := range []string{full, filepath.Join(full, "blobs"), filepath.Join(full, "blobs", "sha256")} {
		if err := os.Chmod(d, 0o555); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { // or the directories above could not be removed
		for _, d := range []string{dir, full, filepath.Join(full, "blobs"), filepath.Join(full, "blobs", "sha256")} {
			if err := os.Chmod(d, 0o755); err != nil {
				t.Error(err)
			}
		}
	})
	before := files(t, full)
	unprivileged(t, func() {
		for _, d := range []string{dir, filepath.Join(dir, "below")} {
			_, err := Export(t.Context(), m, d, []Ref{ref}, ExportOptions{})
			if !errors.Is(err, fs.ErrPermission) || !strings.Contains(hintOf(t, err), d) {
				t.Errorf("%s: %v", d, err)
			}
		}
		// Up to date: nothing is to be written, so that nothing need be writable.
		if r, err := Export(t.Context(), m, full, []Ref{ref}, ExportOptions{}); err != nil || r.Changed {
			t.Errorf("up to date: %+v %v", r, err)
		}
		other := Ref{Name: "y", Descriptor: ref.Descriptor}
		if _, err := Export(t.Context(), m, full, []Ref{other}, ExportOptions{}); !errors.Is(err, fs.ErrPermission) {
			t.Errorf("another name: %v", err)
		}
	})
	if after := files(t, full); after != before {
		t.Errorf("changed from\n%sto\n%s", before, after)
	}
}

func TestEditIndex(t *testing.T) {
	t.Parallel()
	m := newMemory()
	a := Ref{Name: "a/b", Descriptor: simpleImage(t, m, "1").Descriptor}
	b := Ref{Name: "b", Descriptor: simpleImage(t, m, "2").Descriptor}
	edit := func(index []byte, set []Ref, remove ...string) []byte {
		t.Helper()
		out, err := EditIndex(index, set, remove)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	names := func(index []byte) string {
		t.Helper()
		return refNames(t, write(t, map[string]string{"oci-layout": layoutFile, "index.json": string(index)}))
	}
	both := edit(nil, []Ref{b, a})
	if got := names(both); got != "a/b b" {
		t.Error(got)
	}
	if again := edit(both, []Ref{a, b}, "none"); &again[0] != &both[0] {
		t.Error("the same index is made again")
	}
	if got := names(edit(both, nil, "a/b", "none")); got != "b" {
		t.Error(got)
	}
	if got := names(edit(both, []Ref{{Name: "b", Descriptor: a.Descriptor}})); got != "a/b b" {
		t.Error(got)
	}
	if got := names(edit(nil, nil)); got != "" {
		t.Error(got)
	}
	for _, name := range []string{"", "-", "a//b", "../x", "a b", "a/", "ä"} {
		if _, err := EditIndex(both, []Ref{{Name: name, Descriptor: a.Descriptor}}, nil); !errors.Is(err, errReference) {
			t.Errorf("name %q: %v", name, err)
		}
	}
	if _, err := EditIndex(both, []Ref{{Name: "x", Descriptor: v1.Descriptor{MediaType: v1.MediaTypeImageManifest, Digest: "x"}}}, nil); !errors.Is(err, errInvalid) {
		t.Error(err)
	}
	if _, err := EditIndex([]byte("{garbage"), []Ref{a}, nil); !errors.Is(err, errInvalid) {
		t.Error(err)
	}
}

// What other tools put into an index stays as it stands, fields that are not known here included.
func TestForeignEntriesStay(t *testing.T) {
	t.Parallel()
	foreign := `{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:` + strings.Repeat("a", 64) + `","size":7,"x-unknown":{"b":1,"a":[1,2]},"annotations":{"org.opencontainers.image.ref.name":"other"}}`
	unnamed := `{"mediaType":"text/plain","digest":"sha256:` + strings.Repeat("b", 64) + `","size":7}`
	dir := write(t, map[string]string{"oci-layout": layoutFile, "index.json": `{"schemaVersion":2,"x-top":"<kept>","manifests":[` + foreign + "\n ," + unnamed + `],"annotations":{"k":"v"}}`})
	m := newMemory()
	mustExport(t, m, dir, Ref{Name: "mine", Descriptor: simpleImage(t, m, "1").Descriptor})
	data, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{foreign, unnamed, `"x-top":"<kept>"`, `"annotations":{"k":"v"}`, `"mine"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("%s is not in %s", want, data)
		}
	}
	if got := refNames(t, dir); got != "mine other" {
		t.Error(got)
	}
}
