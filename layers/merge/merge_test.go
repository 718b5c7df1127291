package merge

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/testutil/layertest"
	"xtoo/layers"
)

func TestMerge(t *testing.T) {
	for _, c := range layertest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			mem, view, err := merge(c.Tars(t)...)
			if err != nil {
				t.Fatal(err)
			}
			if got := mem.lines(); !slices.Equal(got, c.Want) {
				t.Errorf("got:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.Want, "\n\t"))
			}
			if view.Scans != c.Scans || view.SecondPasses != c.Second {
				t.Errorf("scanned %d layers and read %d again, want %d and %d", view.Scans, view.SecondPasses, c.Scans, c.Second)
			}
		})
	}
}

// TestView asks what is at paths, and stops the names of implied directories in the middle.
func TestView(t *testing.T) {
	_, v, err := merge(tarOf(t, wh(".wh.gone"), reg("f", ""), reg("a/b/c", ""), sym("l", "a")), tarOf(t, folder("./", 0o755), folder("gone", 0o755), folder("d", 0o755), reg("f/x", "")))
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]Found{"": Dir, "d": Dir, "a": Implied, "a/b": Implied, "a/b/c": Other, "l": Other, "l/b": Below, "f": Other, "f/x": Below,
		"f/x/y": Below, "gone": Absent, "none": Absent, "none/x": Absent, "d/none": Absent} {
		if got := v.Lookup(path); got != want {
			t.Errorf("%q: %d, want %d", path, got, want)
		}
	}
	for range v.Implied() {
		break
	}
	if got := slices.Collect(v.Implied()); !slices.Equal(got, []string{"a", "a/b"}) {
		t.Errorf("implied: %q", got)
	}
}

func TestMergeRefuses(t *testing.T) {
	long := strings.Repeat("n", 256)
	typ := func(b byte) item { return item{Header: tar.Header{Name: "x", Typeflag: b}} }
	for _, c := range []struct {
		name   string
		layers [][]item
		want   error
	}{
		{"dot dot", [][]item{{reg("a/../../b", "x")}}, layers.ErrUnsafe},
		{"dot dot hidden", [][]item{{reg("a", "")}, {reg("a/..", "x")}}, layers.ErrUnsafe},
		{"only dot dot", [][]item{{folder("..", 0o755)}}, layers.ErrUnsafe},
		{"long name", [][]item{{reg(long, "x")}}, layers.ErrMember},
		{"whiteout of nothing", [][]item{{reg("d/.wh.", "")}}, layers.ErrUnsafe},
		{"whiteout of dot", [][]item{{reg(".wh..", "")}}, layers.ErrUnsafe},
		{"whiteout of dot dot", [][]item{{reg(".wh...", "")}}, layers.ErrUnsafe},
		{"below a whiteout", [][]item{{reg(".wh.a/b", "")}}, layers.ErrMember},
		{"root is a file", [][]item{{reg(".", "x")}}, layers.ErrMember},
		{"root is a link", [][]item{{sym(".", "x")}}, layers.ErrMember},
		{"through a symbolic link", [][]item{{sym("a", "/etc"), reg("a/passwd", "x")}}, layers.ErrUnsafe},
		{"through a hidden symbolic link", [][]item{{folder("a", 0o755)}, {sym("a", "/etc"), reg("a/passwd", "x")}}, layers.ErrUnsafe},
		{"through a duplicate", [][]item{{folder("a", 0o755), reg("a/b", "1"), sym("a", "/etc"), reg("a/passwd", "x")}}, layers.ErrUnsafe},
		{"hard link out of the root", [][]item{{hard("a", "../../etc/passwd")}}, layers.ErrUnsafe},
		{"hard link to nothing", [][]item{{hard("a", "b")}, {reg("c", "x")}}, layers.ErrMember},
		{"hard link to the root", [][]item{{hard("a", "/")}}, layers.ErrMember},
		{"hard link to itself", [][]item{{hard("a", "a")}}, layers.ErrMember},
		{"hard link to a directory", [][]item{{folder("d", 0o755), hard("a", "d")}}, layers.ErrMember},
		{"hard link to a lower directory", [][]item{{hard("a", "d")}, {folder("d", 0o755)}}, layers.ErrMember},
		{"hard link to an implied lower directory", [][]item{{hard("a", "d")}, {reg("d/x", "")}, {reg("d", "")}}, layers.ErrMember},
		{"hard link to what a layer between removes", [][]item{{hard("b", "a")}, {wh(".wh.a")}, {reg("a", "x")}}, layers.ErrMember},
		{"hard link to what a layer between hides with a file", [][]item{{hard("b", "d/a")}, {reg("d", "")}, {reg("d/a", "x")}}, layers.ErrMember},
		{"hard link to what an opaque directory between hides", [][]item{{hard("b", "d/a")}, {wh("d/.wh..wh..opq")}, {reg("d/a", "x")}}, layers.ErrMember},
		{"hard link to what its own layer has removed", [][]item{{wh(".wh.a"), hard("b", "a")}, {reg("a", "x")}}, layers.ErrMember},
		{"hard link below what its own layer has removed", [][]item{{wh(".wh.d"), reg("d/n", ""), hard("b", "d/a")}, {reg("d/a", "x")}}, layers.ErrMember},
		{"hard link below an opaque directory", [][]item{{wh("d/.wh..wh..opq"), hard("b", "d/a")}, {reg("d/a", "x")}}, layers.ErrMember},
		{"hard link below a file", [][]item{{reg("d", ""), hard("b", "d/a")}, {reg("d/a", "x")}}, layers.ErrMember},
		{"hard links in a circle", [][]item{{hard("a", "b"), hard("b", "a")}}, layers.ErrMember},
		{"unknown type", [][]item{{typ('V')}}, layers.ErrMember},
		{"user id", [][]item{{{Header: tar.Header{Name: "a", Typeflag: tar.TypeReg, Uid: 1<<32 - 1, Format: tar.FormatGNU}}}}, layers.ErrMember},
		{"group id", [][]item{{{Header: tar.Header{Name: "a", Typeflag: tar.TypeReg, Gid: -1, Format: tar.FormatGNU}}}}, layers.ErrMember},
		{"device number", [][]item{{char("a", 1<<12, 0)}}, layers.ErrMember},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem, _, err := merge(layertest.Case{Layers: c.layers}.Tars(t)...)
			if !errors.Is(err, c.want) {
				t.Errorf("error %v, want %v; packed %q", err, c.want, mem.lines())
			}
		})
	}
}

// A truncated layer is an error wherever it is cut. Only its diff id can tell when it is cut between two members.
func TestMergeTruncated(t *testing.T) {
	whole := tarOf(t, folder("d", 0o755), reg("d/a", strings.Repeat("data", 400)), hard("b", "d/a"))
	want := digest.FromBytes(whole)
	for n := 0; n < len(whole); n += 53 {
		stack := layersOf(whole[:n])
		stack[0].DiffID = want
		if _, _, err := mergeLayers(t.Context(), stack); err == nil {
			t.Errorf("cut at byte %d: no error", n)
		}
		inside := n%512 != 0 && n < 1024+1600
		if _, _, err := merge(whole[:n]); inside && err == nil {
			t.Errorf("cut at byte %d, without a diff id: no error", n)
		}
	}
	stack := layersOf(whole)
	stack[0].DiffID = want
	if _, _, err := mergeLayers(t.Context(), stack); err != nil {
		t.Error(err)
	}
	stack[0].DiffID = "sha256:beef"
	if _, _, err := mergeLayers(t.Context(), stack); err == nil {
		t.Error("an illegal diff id is no error")
	}
}

// Reading and closing layers fail as errors, and every layer that was opened is closed.
func TestMergeSourceFails(t *testing.T) {
	broken := errors.New("broken")
	whole := tarOf(t, reg("a", "x"), reg("b", strings.Repeat("y", 3<<20)))
	for _, c := range []struct {
		name string
		open func() (io.ReadCloser, error)
	}{
		{"open", func() (io.ReadCloser, error) { return nil, broken }},
		{"read", func() (io.ReadCloser, error) {
			return io.NopCloser(io.MultiReader(bytes.NewReader(whole[:2<<20]), iotest.ErrReader(broken))), nil
		}},
		{"close", func() (io.ReadCloser, error) { return closer{bytes.NewReader(whole), broken}, nil }},
	} {
		if _, _, err := mergeLayers(t.Context(), []Layer{{Open: c.open}}); !errors.Is(err, broken) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := mergeLayers(ctx, layersOf(whole)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

type closer struct {
	io.Reader
	err error
}

func (c closer) Close() error { return c.err }

// What a whiteout hides reaches the sink not at all.
func TestNothingHiddenIsGiven(t *testing.T) {
	base := []item{folder("d", 0o755)}
	top := []item{wh(".wh.d")}
	for i := range 50 {
		base = append(base, reg("d/f"+string(rune('a'+i%26))+string(rune('a'+i/26)), "x"))
	}
	mem, view, err := merge(tarOf(t, top...), tarOf(t, base...))
	if err != nil {
		t.Fatal(err)
	}
	if len(mem.lines()) != 0 || view.Hidden != 51 {
		t.Errorf("packed %q, hid %d", mem.lines(), view.Hidden)
	}
}

// A hole of 16 TiB does not keep a sink from ending when it is told to.
func TestEndsInAHole(t *testing.T) {
	h := make([]byte, 512)
	copy(h, "hole")
	copy(h[100:], "0000644\x000000000\x000000000\x0000000000000\x0000000000000\x00        S")
	copy(h[257:], "ustar  \x00")
	copy(h[386:], "00000000000\x0000000000000\x00")                   // one empty piece of data at offset 0
	copy(h[483:], "\x80\x00\x00\x00\x00\x00\x10\x00\x00\x00\x00\x00") // its size with the holes, in base 256
	sum := 0
	for _, b := range h {
		sum += int(b)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := Layers(ctx, layersOf(slices.Concat(h, make([]byte, 1024))), func() (Sink, error) { return drain{}, nil }, Options{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// drain reads all data.
type drain struct{}

func (drain) Add(_ *layers.Member, data io.Reader) error {
	_, err := io.Copy(io.Discard, data)
	return err
}

func (drain) Link(string, string) error { return nil }
