package sif

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/sif/squashfs"
)

// A mergeCase is an image, topmost layer first, and what is visible in it.
type mergeCase struct {
	name   string
	layers [][]item
	want   []string
	scans  int
	second int
	// umoci says what `umoci unpack` does otherwise; "" when it agrees.
	umoci string
}

var mergeCases = []mergeCase{
	{name: "one layer", layers: [][]item{{folder("./", 0o755), folder("./d/", 0o700), reg("./d/f", "x"), sym("l", "d/f"), char("c", 5, 1)}},
		want: []string{"c c 5:1", "d/ 0700", "d/f = x", "l -> d/f"}},
	{name: "whiteout of a file", layers: [][]item{{wh(".wh.f")}, {reg("f", "x"), reg("g", "y")}},
		want: []string{"g = y"}},
	{name: "whiteout of a tree", layers: [][]item{{wh("a/.wh.b")}, {folder("a", 0o755), folder("a/b", 0o755), reg("a/b/c", "x"), reg("a/bc", "y")}},
		want: []string{"a/ 0755", "a/bc = y"}},
	{name: "whiteout of nothing", layers: [][]item{{wh(".wh.x"), folder("a", 0o755), wh("a/.wh.y")}, {folder("a", 0o700), reg("a/z", "z")}},
		want: []string{"a/ 0755", "a/z = z"}},
	{name: "whiteout beside what it hides", layers: [][]item{{reg("f", "new"), wh(".wh.f"), wh(".wh.d"), folder("d", 0o755), reg("d/n", "new")},
		{reg("f", "old"), folder("d", 0o700), reg("d/o", "old")}},
		want: []string{"d/ 0755", "d/n = new", "f = new"}},
	{name: "whiteout counts below its layer only", layers: [][]item{{folder("a", 0o755), reg("a/y", "y")}, {wh(".wh.a")}, {folder("a", 0o700), reg("a/x", "x")}},
		want: []string{"a/ 0755", "a/y = y"}},
	{name: "whiteout, then the name again", layers: [][]item{{reg("f", "new")}, {wh(".wh.f")}, {reg("f", "old")}},
		want: []string{"f = new"}},
	{name: "opaque at the start", layers: [][]item{{folder("d", 0o755), wh("d/.wh..wh..opq"), reg("d/n", "n")}, {folder("d", 0o700), folder("d/s", 0o755), reg("d/s/o", "o")}},
		want: []string{"d/ 0755", "d/n = n"}},
	{name: "opaque at the end", layers: [][]item{{folder("d", 0o755), folder("d/s", 0o755), reg("d/s/n", "n"), wh("d/.wh..wh..opq")},
		{folder("d", 0o700), folder("d/s", 0o700), reg("d/s/o", "o"), reg("d/p", "p")}},
		want: []string{"d/ 0755", "d/s/ 0755", "d/s/n = n"}},
	{name: "opaque without its directory", layers: [][]item{{wh("d/.wh..wh..opq")}, {folder("d", 0o700), reg("d/o", "o")}, {reg("d/p", "p")}},
		want: []string{"d/ 0700"}},
	{name: "opaque root", layers: [][]item{{wh(".wh..wh..opq"), reg("n", "n")}, {reg("o", "o")}},
		want: []string{"n = n"}},
	{name: "file over directory", layers: [][]item{{reg("d", "now a file")}, {folder("d", 0o755), folder("d/e", 0o755), reg("d/e/f", "x")}},
		want: []string{"d = now a file"}},
	{name: "directory over file", layers: [][]item{{folder("d", 0o755), reg("d/x", "x")}, {reg("d", "was a file")}},
		want: []string{"d/ 0755", "d/x = x"}},
	{name: "directory over symbolic link", layers: [][]item{{folder("lib", 0o755), reg("lib/n", "n")}, {folder("usr", 0o755), folder("usr/lib", 0o755), sym("lib", "usr/lib"), reg("usr/lib/o", "o")}},
		want: []string{"lib/ 0755", "lib/n = n", "usr/ 0755", "usr/lib/ 0755", "usr/lib/o = o"}},
	{name: "implied directory over symbolic link", layers: [][]item{{reg("lib/n", "n")}, {folder("usr", 0o755), folder("usr/lib", 0o755), sym("lib", "usr/lib")}},
		want: []string{"lib/ 0755", "lib/n = n", "usr/ 0755", "usr/lib/ 0755"}, umoci: "it follows the link"},
	{name: "symbolic link over directory", layers: [][]item{{sym("lib", "usr/lib")}, {folder("lib", 0o755), reg("lib/o", "o")}},
		want: []string{"lib -> usr/lib"}},
	{name: "file, directory and file again", layers: [][]item{{reg("x", "3")}, {folder("x", 0o755), reg("x/y", "2")}, {reg("x", "1")}},
		want: []string{"x = 3"}},
	{name: "directory, file and directory again", layers: [][]item{{folder("x", 0o755), reg("x/n", "3")}, {reg("x", "2")}, {folder("x", 0o700), reg("x/o", "1")}},
		want: []string{"x/ 0755", "x/n = 3"}},
	{name: "upper metadata wins", layers: [][]item{{folder("d", 0o1777)}, {folder("d", 0o700), reg("d/f", "x")}},
		want: []string{"d/ 01777", "d/f = x"}},
	{name: "missing parents", layers: [][]item{{reg("a/b/n", "n")}, {reg("a/c/o", "o"), folder("a", 0o711)}},
		want: []string{"a/ 0711", "a/b/ 0755", "a/b/n = n", "a/c/ 0755", "a/c/o = o"}},
	{name: "missing parent of what is hidden", layers: [][]item{{wh("a/.wh.x")}, {reg("a/x", "x")}, {reg("a", "was a file")}},
		want: []string{"a/ 0755"}, umoci: "it refuses files in place of missing parents"},
	{name: "missing parents of what is hidden, hidden too", layers: [][]item{{wh("a/.wh.b")}, {reg("a/b/x", "x")}, {folder("a", 0o700), reg("a/b", "")}},
		want: []string{"a/ 0700"}, umoci: "it refuses files in place of missing parents"},
	{name: "three layers of one file", layers: [][]item{{reg("f", "3")}, {reg("f", "2")}, {reg("f", "1")}}, want: []string{"f = 3"}},

	{name: "hard link", layers: [][]item{{reg("a", "x"), hard("b", "a"), hard("./c", "./b")}},
		want: []string{"a = x", "b = x @ a", "c = x @ a"}},
	{name: "hard link with a leading slash", layers: [][]item{{reg("a", "x"), hard("b", "/a")}}, want: []string{"a = x", "b = x @ a"}},
	{name: "hard link, both names replaced", layers: [][]item{{reg("a", "1"), reg("b", "2")}, {reg("a", "x"), hard("b", "a")}}, want: []string{"a = 1", "b = 2"}},
	{name: "hard link replaced", layers: [][]item{{reg("b", "new")}, {reg("a", "x"), hard("b", "a")}}, want: []string{"a = x", "b = new"}},
	{name: "target of a hard link replaced", layers: [][]item{{reg("a", "new")}, {reg("a", "old"), reg("z", "z"), hard("b", "a"), hard("c", "a")}},
		want: []string{"a = new", "b = old", "c = old @ b", "z = z"}, second: 1},
	{name: "target of a hard link removed", layers: [][]item{{wh(".wh.a")}, {reg("a", "old"), hard("b", "a")}},
		want: []string{"b = old"}, second: 1},
	{name: "target of a hard link hidden with its directory", layers: [][]item{{wh(".wh.d")}, {folder("d", 0o755), reg("d/a", "old"), hard("b", "d/a")}},
		want: []string{"b = old"}, second: 1},
	{name: "target of a hard link became a directory", layers: [][]item{{folder("a", 0o755), reg("a/x", "x")}, {reg("a", "old"), hard("b", "a")}},
		want: []string{"a/ 0755", "a/x = x", "b = old"}, second: 1},
	{name: "chain of hard links, the middle hidden", layers: [][]item{{reg("b", "new")}, {reg("a", "old"), hard("b", "a"), hard("c", "b")}},
		want: []string{"a = old", "b = new", "c = old @ a"}},
	{name: "chain of hard links, only its end visible", layers: [][]item{{reg("a", "1"), reg("b", "2")}, {reg("a", "old"), hard("b", "a"), hard("c", "b"), hard("d", "c")}},
		want: []string{"a = 1", "b = 2", "c = old", "d = old @ c"}, second: 1},
	{name: "hard link to a lower layer", layers: [][]item{{hard("b", "a")}, {reg("a", "low")}}, want: []string{"a = low", "b = low @ a"}},
	{name: "hard link to a lower layer, hidden above", layers: [][]item{{reg("a", "top")}, {hard("b", "a"), hard("c", "b")}, {reg("a", "low"), hard("d", "a")}},
		want: []string{"a = top", "b = low", "c = low @ b", "d = low @ b"}},
	{name: "hard link to a hard link of a lower layer", layers: [][]item{{hard("c", "b")}, {reg("a", "low"), hard("b", "a")}},
		want: []string{"a = low", "b = low @ a", "c = low @ a"}},
	{name: "hard link to a hidden hard link of a lower layer", layers: [][]item{{wh(".wh.a"), wh(".wh.b")}, {hard("c", "b")}, {reg("a", "low"), hard("b", "a")}},
		want: []string{"c = low"}, second: 1},
	{name: "hard link to a lower layer, in which it has one more name above", layers: [][]item{{hard("x", "a")}, {hard("y", "a")}, {reg("a", "low")}},
		want: []string{"a = low", "x = low @ a", "y = low @ a"}},
	{name: "hard link before its target in the same layer", layers: [][]item{{hard("b", "a"), reg("a", "new")}, {reg("a", "low")}},
		want: []string{"a = new", "b = low"}},
	{name: "hard link that its own layer removes the target of", layers: [][]item{{hard("b", "a"), wh(".wh.a")}, {reg("a", "low")}},
		want: []string{"b = low"}},
	{name: "hard links to a symbolic link and a device", layers: [][]item{{wh(".wh.c")}, {sym("s", "x"), hard("t", "s"), char("c", 1, 3), hard("d", "c")}},
		want: []string{"d c 1:3", "s -> x", "t -> x @ s"}, second: 1},

	{name: "duplicate file", layers: [][]item{{reg("a", "1"), reg("z", "z"), reg("a", "2")}}, want: []string{"a = 2", "z = z"}, scans: 1},
	{name: "duplicate in a hidden file", layers: [][]item{{reg("a", "top")}, {reg("a", "1"), reg("a", "2"), hard("b", "a")}},
		want: []string{"a = top", "b = 2"}, scans: 1, second: 1},
	{name: "duplicate directory", layers: [][]item{{folder("d", 0o700), reg("d/x", "x"), folder("d", 0o755)}}, want: []string{"d/ 0755", "d/x = x"}, scans: 1},
	{name: "link between duplicates", layers: [][]item{{reg("a", "1"), hard("b", "a"), reg("a", "2"), hard("c", "a")}},
		want: []string{"a = 2", "b = 1", "c = 2 @ a"}, scans: 1, second: 1},
	{name: "link over a duplicate", layers: [][]item{{reg("a", "1"), reg("b", "2"), hard("b", "a")}}, want: []string{"a = 1", "b = 1 @ a"}, scans: 1},
	{name: "hard link to itself", layers: [][]item{{reg("a", "1"), hard("a", "a")}}, want: []string{"a = 1"}, umoci: "it removes what it is about to link"},
	{name: "directory replaced in its own layer", layers: [][]item{{folder("a", 0o755), reg("a/b", "1"), reg("a", "2")}}, want: []string{"a = 2"}, scans: 1},
	{name: "implied directory replaced in its own layer", layers: [][]item{{reg("a/b", "1"), reg("a", "2")}}, want: []string{"a = 2"}, scans: 1},
	{name: "directory, file, directory in one layer", layers: [][]item{{folder("a", 0o755), reg("a/b", "1"), reg("a", "2"), folder("a", 0o711), reg("a/c", "3")}},
		want: []string{"a/ 0711", "a/c = 3"}, scans: 1},
	{name: "duplicates below a good layer", layers: [][]item{{reg("t", "t")}, {reg("a", "1"), reg("a", "2")}, {reg("u", "u")}},
		want: []string{"a = 2", "t = t", "u = u"}, scans: 2},
	{name: "names of AUFS", layers: [][]item{{wh(".wh..wh.aufs"), folder(".wh..wh.plnk", 0o700), reg(".wh..wh.plnk/1.2", "x"), reg("a", "a")}}, want: []string{"a = a"}, umoci: "it unpacks them"},
}

func (c mergeCase) tars(t testing.TB) [][]byte {
	var out [][]byte
	for _, l := range c.layers {
		out = append(out, tarOf(t, l...))
	}
	return out
}

func TestMerge(t *testing.T) {
	for _, c := range mergeCases {
		t.Run(c.name, func(t *testing.T) {
			mem, info, err := merge(c.tars(t)...)
			if err != nil {
				t.Fatal(err)
			}
			if got := mem.lines(); !slices.Equal(got, c.want) {
				t.Errorf("got:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(c.want, "\n\t"))
			}
			if info.Scans != c.scans || info.SecondPasses != c.second {
				t.Errorf("scanned %d layers and read %d again, want %d and %d", info.Scans, info.SecondPasses, c.scans, c.second)
			}
			if info.Entries != int64(len(mem.files)) {
				t.Errorf("counts %d entries, has %d", info.Entries, len(mem.files))
			}
		})
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
		{"absolute name", [][]item{{reg("/etc/passwd", "x")}}, ErrName},
		{"dot dot", [][]item{{reg("a/../../b", "x")}}, ErrName},
		{"dot dot hidden", [][]item{{reg("a", "")}, {reg("a/..", "x")}}, ErrName},
		{"only dot dot", [][]item{{folder("..", 0o755)}}, ErrName},
		{"long name", [][]item{{reg(long, "x")}}, ErrName},
		{"long path", [][]item{{reg(strings.Repeat("a/", 2048)+"a", "x")}}, ErrName},
		{"whiteout of nothing", [][]item{{reg("d/.wh.", "")}}, ErrName},
		{"whiteout of dot", [][]item{{reg(".wh..", "")}}, ErrName},
		{"whiteout of dot dot", [][]item{{reg(".wh...", "")}}, ErrName},
		{"below a whiteout", [][]item{{reg(".wh.a/b", "")}}, ErrName},
		{"root is a file", [][]item{{reg(".", "x")}}, ErrMember},
		{"root is a link", [][]item{{sym(".", "x")}}, ErrMember},
		{"through a symbolic link", [][]item{{sym("a", "/etc"), reg("a/passwd", "x")}}, ErrThrough},
		{"through a hidden symbolic link", [][]item{{folder("a", 0o755)}, {sym("a", "/etc"), reg("a/passwd", "x")}}, ErrThrough},
		{"whiteout through a symbolic link", [][]item{{sym("a", "/etc"), wh("a/.wh.passwd")}}, ErrThrough},
		{"through a duplicate", [][]item{{folder("a", 0o755), reg("a/b", "1"), sym("a", "/etc"), reg("a/passwd", "x")}}, ErrThrough},
		{"hard link out of the root", [][]item{{hard("a", "../../etc/passwd")}}, ErrName},
		{"hard link to nothing", [][]item{{hard("a", "b")}, {reg("c", "x")}}, ErrLinkTarget},
		{"hard link to the root", [][]item{{hard("a", "/")}}, ErrName},
		{"hard link to itself", [][]item{{hard("a", "a")}}, ErrLinkTarget},
		{"hard link to a directory", [][]item{{folder("d", 0o755), hard("a", "d")}}, ErrMember},
		{"hard link to a lower directory", [][]item{{hard("a", "d")}, {folder("d", 0o755)}}, ErrLinkTarget},
		{"hard link to an implied lower directory", [][]item{{hard("a", "d")}, {reg("d/x", "")}, {reg("d", "")}}, ErrLinkTarget},
		{"hard link to what a layer between removes", [][]item{{hard("b", "a")}, {wh(".wh.a")}, {reg("a", "x")}}, ErrLinkTarget},
		{"hard link to what a layer between hides with a file", [][]item{{hard("b", "d/a")}, {reg("d", "")}, {reg("d/a", "x")}}, ErrLinkTarget},
		{"hard link to what an opaque directory between hides", [][]item{{hard("b", "d/a")}, {wh("d/.wh..wh..opq")}, {reg("d/a", "x")}}, ErrLinkTarget},
		{"hard links in a circle", [][]item{{hard("a", "b"), hard("b", "a")}}, ErrLinkTarget},
		{"unknown type", [][]item{{typ('V')}}, ErrMember},
		{"user id", [][]item{{{Header: tar.Header{Name: "a", Typeflag: tar.TypeReg, Uid: 1<<32 - 1, Format: tar.FormatGNU}}}}, ErrMember},
		{"group id", [][]item{{{Header: tar.Header{Name: "a", Typeflag: tar.TypeReg, Gid: -1, Format: tar.FormatGNU}}}}, ErrMember},
		{"device number", [][]item{{char("a", 1<<12, 0)}}, ErrMember},
		{"base64", [][]item{{{Header: tar.Header{Name: "a", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"LIBARCHIVE.xattr.user.a": "*"}}}}}, ErrMember},
	} {
		t.Run(c.name, func(t *testing.T) {
			mem, _, err := merge(mergeCase{layers: c.layers}.tars(t)...)
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
		layers := layersOf(whole[:n])
		layers[0].DiffID = want
		if _, _, err := mergeLayers(layers); err == nil {
			t.Errorf("cut at byte %d: no error", n)
		}
		inside := n%512 != 0 && n < 1024+1600
		if _, _, err := merge(whole[:n]); inside && err == nil {
			t.Errorf("cut at byte %d, without a diff id: no error", n)
		}
	}
	layers := layersOf(whole)
	layers[0].DiffID = want
	if _, _, err := mergeLayers(layers); err != nil {
		t.Error(err)
	}
	layers[0].DiffID = "sha256:beef"
	if _, _, err := mergeLayers(layers); err == nil {
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
		if _, _, err := mergeLayers([]Layer{{Open: c.open}}); !errors.Is(err, broken) {
			t.Errorf("%s: error %v", c.name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	f, err := os.Create(filepath.Join(t.TempDir(), "x.sif"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Write(ctx, f, Image{Arch: "amd64", Layers: layersOf(whole)}, Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: error %v", err)
	}
}

type closer struct {
	io.Reader
	err error
}

func (c closer) Close() error { return c.err }

// What a whiteout hides reaches the filesystem not at all.
func TestNothingHiddenIsPacked(t *testing.T) {
	base := []item{folder("d", 0o755)}
	top := []item{wh(".wh.d")}
	for i := range 50 {
		base = append(base, reg("d/f"+string(rune('a'+i%26))+string(rune('a'+i/26)), "x"))
	}
	mem, info, err := merge(tarOf(t, top...), tarOf(t, base...))
	if err != nil {
		t.Fatal(err)
	}
	if len(mem.lines()) != 0 || info.Hidden != 51 {
		t.Errorf("packed %q, hid %d", mem.lines(), info.Hidden)
	}
}

var _ filesystem = (*squashfs.Writer)(nil)

// A hole of 16 TiB does not keep Write from ending when it is told to.
func TestWriteEndsInAHole(t *testing.T) {
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
	f, err := os.Create(filepath.Join(t.TempDir(), "x.sif"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	_, err = Write(ctx, f, Image{Arch: "amd64", Layers: layersOf(slices.Concat(h, make([]byte, 1024)))}, Options{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

func TestWriteIntoReadOnly(t *testing.T) {
	f, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := Write(t.Context(), f, Image{Arch: "amd64"}, Options{}); err == nil {
		t.Error("no error")
	}
}
