package oci

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
)

// seeds are documents of every kind, right ones and wrong ones.
func seeds(f *testing.F) {
	m := newMemory()
	img := simpleImage(f, m, "1")
	f.Add(img.Manifest)
	f.Add(img.Config)
	desc := img.Descriptor
	desc.Platform = &amd64
	index, _, err := BuildIndex(append(append(img.blobs()[:0:0], desc), desc), map[string]string{"a": "<b>"})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(index)
	for _, s := range []string{
		"", "{}", "null", "[]", `{"schemaVersion":2}`, layoutFile, emptyIndex,
		`{"schemaVersion":2,"manifests":[{"digest":"sha256:../../etc/passwd","size":1}]}`,
		`{"schemaVersion":2,"manifests":[null,{"digest":":","size":9223372036854775807}],"Manifests":[]}`,
		`{"schemaVersion":2,"config":{"digest":"sha512:x"},"layers":[{"size":-1}]}`,
		`{"schemaVersion":2,"manifests":[],"manifests":[1]}`, `{"schemaVersion":2,"x":"` + "\xff" + `","manifests":null}`,
	} {
		f.Add([]byte(s))
	}
}

// inside fails unless a digest that passed the checks names a file directly in a blobs directory.
func inside(t *testing.T, d digest.Digest) {
	t.Helper()
	p, err := (&Layout{dir: "/layout"}).path(d)
	if err != nil {
		t.Fatalf("%q passed the parser and has no path: %v", d, err)
	}
	dir, name := filepath.Split(p)
	if dir != "/layout/blobs/sha256/" && dir != "/layout/blobs/sha512/" || strings.Trim(name, "0123456789abcdef") != "" || name == "" {
		t.Fatalf("%q is at %s", d, p)
	}
}

// No document makes a parser panic, and no digest that it lets through leaves the layout.
func FuzzDocuments(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		if m, err := parseManifest(data); err == nil {
			for _, d := range append(m.Layers, m.Config) {
				inside(t, d.Digest)
				if d.Size < 0 {
					t.Fatalf("size %d", d.Size)
				}
			}
			if _, err := parseIndex(data); err == nil {
				t.Fatalf("both a manifest and an index: %s", data)
			}
		}
		if x, err := parseIndex(data); err == nil {
			for _, d := range x.Manifests {
				inside(t, d.Digest)
			}
		}
		if c, err := ParseConfig(data); err == nil {
			for _, d := range c.RootFS.DiffIDs {
				inside(t, d)
			}
			soundHistory(c)
		}
		if err := parseLayoutFile(data); err == nil {
			if _, err := parseManifest(data); err == nil {
				t.Fatal("both oci-layout and a manifest")
			}
		}
	})
}

// An index that can be read can be changed, and then has the change and all that it had before.
func FuzzIndexChange(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		doc, err := parseIndexDoc(data)
		if err != nil {
			return
		}
		before := len(doc.entries)
		ref := Ref{Name: "a/b", Descriptor: descriptorOf("application/vnd.oci.image.manifest.v1+json", data)}
		old, err := doc.set(ref)
		if err != nil {
			t.Fatal(err)
		}
		out, err := doc.bytes()
		if err != nil {
			if len(data) < maxDocument/2 {
				t.Fatalf("%v: %s", err, data)
			}
			return
		}
		again, err := parseIndexDoc(out)
		if err != nil {
			t.Fatalf("%v: %s", err, out)
		}
		if !again.has(ref) || len(again.entries) != before-len(old)+1 || len(again.keys) != len(doc.keys) {
			t.Fatalf("%s became %s", data, out)
		}
	})
}

func FuzzParseReference(f *testing.F) {
	for _, s := range []string{"oci:a:b", "oci-archive:/x", "docker-archive:x:y:z", "docker://x", ":::", "oci:\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := parseReference(s, "/base")
		if err != nil {
			return
		}
		if again, err := parseReference(r.String(), "/elsewhere"); err != nil || again != r {
			// A base cannot hold a colon, and a path that does not end at its first is not a reference.
			t.Fatalf("%q is %+v, and again %+v, %v", s, r, again, err)
		}
	})
}
