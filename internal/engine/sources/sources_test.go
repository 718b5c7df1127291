package sources

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/internal/testutil"
	"xtoo/layers"
	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/qemu"
)

func newStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(context.Background(), func(_ context.Context, paths ...string) error {
			for _, p := range paths {
				if err := os.RemoveAll(p); err != nil {
					return err
				}
			}
			return nil
		}); err != nil {
			t.Error(err)
		}
	})
	return s
}

// programs of this machine: the header of an ELF file is all that is looked at.
func elfHeader(t *testing.T, a qemu.Arch) string {
	t.Helper()
	b := make([]byte, 64)
	copy(b, "\x7fELF")
	b[4], b[5], b[6] = byte(a.ELF.Class), byte(a.ELF.Data), 1
	b[16], b[18], b[19] = 2, byte(a.ELF.Machine), byte(a.ELF.Machine>>8)
	b[20] = 1
	return string(b)
}

func lookup(t *testing.T, name string) qemu.Arch {
	t.Helper()
	a, err := qemu.Lookup(name, "")
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// writeStage3 writes a small stage3 for an architecture.
func writeStage3(t *testing.T, a qemu.Arch) string {
	t.Helper()
	day := time.Unix(1655382896, 0)
	data := testutil.Tar(t, testutil.Dir("./").WithTime(day), testutil.Dir("bin/").WithTime(day), testutil.File("bin/sh", elfHeader(t, a)).WithMode(0o755).WithTime(day),
		testutil.Dir("etc/").WithTime(day), testutil.File("etc/left-out", "x").WithTime(day))
	path := filepath.Join(t.TempDir(), "stage3.tar")
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func base(kind projects.BaseKind, path string) *projects.Base {
	b := &projects.Base{Kind: kind, Path: path, Text: path, Project: &projects.Project{Tag: "top"}}
	b.Project.Bases = []*projects.Base{b}
	return b
}

func TestScratch(t *testing.T) {
	enginetest.TestSource(t, func(t *testing.T) enginetest.SourceCase {
		return enginetest.SourceCase{Source: Scratch{}, Base: base(projects.BaseScratch, ""), Store: newStore(t)}
	})
}

func TestStage3(t *testing.T) {
	enginetest.TestSource(t, func(t *testing.T) enginetest.SourceCase {
		s := newStore(t)
		return enginetest.SourceCase{Source: &Stage3{Store: s}, Base: base(projects.BaseStage3, writeStage3(t, lookup(t, "arm-64bit"))), Store: s}
	})
}

func TestImageFromLayout(t *testing.T) {
	enginetest.TestSource(t, func(t *testing.T) enginetest.SourceCase {
		s := newStore(t)
		b := base(projects.BaseOCI, writeLayout(t))
		b.Ref = "tag"
		return enginetest.SourceCase{Source: &Image{Store: s}, Base: b, Store: s}
	})
}

// writeLayout writes a layout with one image of two layers.
func writeLayout(t *testing.T) string {
	t.Helper()
	blobs := map[digest.Digest][]byte{}
	put := func(data []byte) digest.Digest {
		d := digest.FromBytes(data)
		blobs[d] = data
		return d
	}
	spec := oci.ImageSpec{Platform: v1.Platform{OS: "linux", Architecture: "riscv64"}, Created: time.Unix(1234567890, 0)}
	for _, name := range []string{"one", "two"} {
		data := testutil.Tar(t, testutil.File(name, ""))
		d := put(data)
		spec.Layers = append(spec.Layers, oci.LayerRef{
			DiffID: d, Descriptor: v1.Descriptor{MediaType: layers.None.MediaType(), Digest: d, Size: int64(len(data))},
		})
	}
	img, err := oci.Build(spec)
	if err != nil {
		t.Fatal(err)
	}
	put(img.Config)
	put(img.Manifest)
	dir := filepath.Join(t.TempDir(), "layout")
	source := oci.SourceFunc(func(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(blobs[d])), nil
	})
	if _, err := oci.Export(t.Context(), source, dir, []oci.Ref{{Name: "tag", Descriptor: img.Descriptor}}, oci.ExportOptions{}); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestImageIsNamedByChainIDs(t *testing.T) {
	s := newStore(t)
	b := base(projects.BaseOCI, writeLayout(t))
	m, err := (&Image{Store: s}).Read(t.Context(), b, engine.Reading{})
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Layers) != 2 || m.Layers[0].Dir != m.Layers[0].DiffID || m.Layers[1].Dir == m.Layers[1].DiffID {
		t.Errorf("layers %+v", m.Layers)
	}
	b.Arch = lookup(t, "arm-64bit")
	if _, err := (&Image{Store: s}).Identify(t.Context(), b, nil); err == nil || !strings.Contains(err.Error(), "riscv64") {
		t.Errorf("an image for another platform: %v", err)
	}
	if _, err := (&Image{Store: s}).Found(b, engine.Material{}); err == nil {
		t.Error("nothing is an image")
	}
}

// A stage3 is told apart by its content and by what is excluded, and read with what the user asked for.
func TestStage3Options(t *testing.T) {
	s := newStore(t)
	src := &Stage3{Store: s}
	b := base(projects.BaseStage3, writeStage3(t, lookup(t, "arm-64bit")))
	plain, err := src.Identify(t.Context(), b, nil)
	if err != nil {
		t.Fatal(err)
	}
	b.Project.Exclude = []string{"/etc/left-out", "/none"}
	if other, err := src.Identify(t.Context(), b, nil); err != nil || other == plain {
		t.Errorf("what is excluded is in no key: %v", err)
	}
	var warnings []string
	m, err := src.Read(t.Context(), b, engine.Reading{Compression: layers.Zstd, Jobs: 1, Warn: func(text string) { warnings = append(warnings, text) }})
	if err != nil {
		t.Fatal(err)
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], `"/none" matches nothing`) || m.Entries != 4 {
		t.Errorf("warnings %q, %+v", warnings, m)
	}
	if l, ok := s.Layer(m.Layers[0].DiffID); !ok || len(l.Blobs) != 1 || l.Blobs[layers.Zstd].Size == 0 {
		t.Errorf("the layer is %+v", l)
	}
	f, err := src.Found(b, m)
	if err != nil || f.History[0].Comment != "without /etc/left-out /none" || f.Arch.Name != "arm-64bit" {
		t.Errorf("%+v, %v", f, err)
	}
	b.Arch = lookup(t, "riscv-64bit")
	if _, err := src.Found(b, m); err == nil || !strings.Contains(err.Error(), b.Path) {
		t.Errorf("a stage3 of another architecture: %v", err)
	}
	if _, err := src.Read(t.Context(), b, engine.Reading{Warn: func(string) {}}); err == nil {
		t.Error("a stage3 of another architecture is read")
	}
}

// unpacking is an Unpacking that takes notes.
type unpacking struct {
	bytes.Buffer
	adopted digest.Digest
	aborted bool
	err     error
}

func (u *unpacking) Explain(err error) error        { return err }
func (u *unpacking) Finish() error                  { return u.err }
func (u *unpacking) Adopt(name digest.Digest) error { u.adopted = name; return nil }
func (u *unpacking) Abort(context.Context)          { u.aborted = true }

func TestStage3IsUnpackedWhileItIsRead(t *testing.T) {
	s := newStore(t)
	u := &unpacking{}
	src := &Stage3{Store: s, Unpack: func(context.Context) (Unpacking, error) { return u, nil }}
	b := base(projects.BaseStage3, writeStage3(t, lookup(t, "arm-64bit")))
	how := engine.Reading{Unpack: true, Compression: layers.Gzip, Jobs: 1, Warn: func(string) {}}
	m, err := src.Read(t.Context(), b, how)
	if err != nil || u.adopted != m.Layers[0].DiffID || !u.aborted || digest.FromBytes(u.Bytes()) != u.adopted {
		t.Errorf("%+v, adopted %s: %v", m, u.adopted, err)
	}
	broken := errors.New("broken")
	u = &unpacking{err: broken}
	if _, err := src.Read(t.Context(), b, how); !errors.Is(err, broken) || u.adopted != "" || !u.aborted {
		t.Errorf("adopted %q: %v", u.adopted, err)
	}
	src.Unpack = func(context.Context) (Unpacking, error) { return nil, broken }
	if _, err := src.Read(t.Context(), b, how); !errors.Is(err, broken) {
		t.Error(err)
	}
}

// What is of a time that no clock has reached yet is said, with its name.
func TestFuture(t *testing.T) {
	later := time.Now().Add(1000 * time.Hour)
	path := filepath.Join(t.TempDir(), "stage3.tar")
	data := testutil.Tar(t, testutil.Dir("./").WithTime(later.Add(-time.Hour)), testutil.File("late", elfHeader(t, lookup(t, "arm-64bit"))).WithTime(later))
	if err := os.WriteFile(path, data, 0o644); err != nil {
		t.Fatal(err)
	}
	var said []string
	r := engine.Reading{Compression: layers.None, Jobs: 1, Warn: func(text string) { said = append(said, text) }}
	b := base(projects.BaseStage3, path)
	b.Arch = lookup(t, "arm-64bit")
	if _, err := (&Stage3{Store: newStore(t)}).Read(t.Context(), b, r); err != nil {
		t.Fatal(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], ": late is of "+later.UTC().Format(time.RFC3339)) || !strings.Contains(said[0], "set SOURCE_DATE_EPOCH") {
		t.Errorf("%q", said)
	}
}
