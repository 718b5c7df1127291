package stage4

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
	"xtoo/layers"
	"xtoo/layers/merge"
)

// layersOf makes layers of tar streams, in the order given: topmost first.
func layersOf(tars ...[]byte) []merge.Layer {
	var out []merge.Layer
	for _, b := range tars {
		out = append(out, merge.Layer{DiffID: digest.FromBytes(b), Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }})
	}
	return out
}

// A result is what was written.
type result struct {
	tarball, contents []byte
	digests           *Digests
	path              string
}

func writeTo(t testing.TB, ctx context.Context, img []merge.Layer, o Options) (result, error) { //nolint:revive // as testing has it
	t.Helper()
	dir := t.TempDir()
	open := func(name string) *os.File {
		f, err := os.Create(filepath.Join(dir, name))
		testutil.Must(t, err)
		t.Cleanup(func() { f.Close() })
		return f
	}
	name := "image" + string(o.Format)
	to := Files{Name: name, Tarball: open(name), Contents: open(name + ContentsSuffix), Spool: open("spool")}
	d, err := Write(ctx, to, img, o)
	if err != nil {
		return result{}, err
	}
	r := result{digests: d, path: to.Tarball.Name()}
	r.tarball, err = os.ReadFile(to.Tarball.Name())
	testutil.Must(t, err)
	r.contents, err = os.ReadFile(to.Contents.Name())
	testutil.Must(t, err)
	return r, nil
}

func mustWrite(t testing.TB, img []merge.Layer, f Format) result {
	t.Helper()
	r, err := writeTo(t, t.Context(), img, Options{Format: f, Jobs: 2})
	testutil.Must(t, err)
	return r
}

// linesOf says what is in a stream, root apart, as layertest has it; and fails where it is not in the order of a walk.
func linesOf(t *testing.T, stream []byte) []string {
	t.Helper()
	if len(stream)%blocking != 0 || len(stream) == 0 {
		t.Errorf("%d bytes are not whole blocks", len(stream))
	}
	r := layers.NewReader(t.Context(), bytes.NewReader(stream))
	kept, links := map[string]string{}, map[string][]string{}
	var lines []string
	left, dir := map[string]bool{}, ""
	for first := true; ; first = false {
		m, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		testutil.Must(t, err)
		if first != (m.Path == "") || !strings.HasPrefix(m.Name, "./") {
			t.Errorf("a member %q", m.Name)
		}
		parent, _ := layers.Split(m.Path)
		for dir != parent && !strings.HasPrefix(parent, dir+"/") && dir != "" {
			left[dir] = true
			dir, _ = layers.Split(dir)
		}
		if left[parent] || parent != dir {
			t.Errorf("%q comes after its directory is left, or before it is there", m.Path)
		}
		switch {
		case m.Path == "":
		case m.IsDir():
			dir = m.Path
			lines = append(lines, fmt.Sprintf("%s/ 0%o", m.Path, m.Mode&0o7777))
		case m.Kind == layers.HardLink:
			links[m.Target] = append(links[m.Target], m.Path)
		case m.Mode&unix.S_IFMT == unix.S_IFLNK:
			kept[m.Path] = " -> " + m.Target
		case m.IsDevice():
			kept[m.Path] = fmt.Sprintf(" c %d:%d", m.Major, m.Minor)
		default:
			data, err := io.ReadAll(r)
			testutil.Must(t, err)
			kept[m.Path] = " = " + string(data)
		}
	}
	for path, is := range kept {
		names := append(links[path], path)
		slices.Sort(names)
		lines = append(lines, names[0]+is)
		for _, name := range names[1:] {
			lines = append(lines, name+is+" @ "+names[0])
		}
	}
	slices.Sort(lines)
	return lines
}

// TestCases: what is visible of an image is in its tarball, whether its lowest layer is in order or not.
func TestCases(t *testing.T) {
	t.Parallel()
	for _, c := range layertest.Cases {
		t.Run(c.Name, func(t *testing.T) {
			r := mustWrite(t, layersOf(c.Tars(t)...), Tar)
			want := slices.Sorted(slices.Values(c.Want))
			if got := linesOf(t, r.tarball); !slices.Equal(got, want) {
				t.Errorf("got:\n\t%s\nwant:\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
			}
		})
	}
}

// TestNothing: the image without a layer has a root.
func TestNothing(t *testing.T) {
	t.Parallel()
	for _, img := range [][]merge.Layer{nil, layersOf(nil)} {
		r := mustWrite(t, img, Tar)
		if got := linesOf(t, r.tarball); len(got) > 0 {
			t.Errorf("%q", got)
		}
		if got := listed(t, r); got != "drwxr-xr-x  0/0               0 1970-01-01 00:00 ./\n" {
			t.Errorf("%q", got)
		}
	}
}

func listed(t *testing.T, r result) string {
	t.Helper()
	z, err := gzip.NewReader(bytes.NewReader(r.contents))
	testutil.Must(t, err)
	text, err := io.ReadAll(z)
	testutil.Must(t, err)
	if !z.ModTime.IsZero() || z.Name != "" {
		t.Errorf("the listing has a time or a name: %v %q", z.ModTime, z.Name)
	}
	return string(text)
}

// walk is a layer in the order of a walk that is not that of names.
func walk(t *testing.T) []byte {
	t.Helper()
	return testutil.Tar(t, testutil.Dir("./"), testutil.Dir("./usr/"), testutil.File("./usr/z", "z"), testutil.Dir("./usr/a/"), testutil.File("./usr/a/f", "f"),
		testutil.File("./usr/b", "b"), testutil.Dir("./etc/"), testutil.File("./etc/passwd", "p"))
}

// TestOrder: the lowest layer keeps its order, and what is above comes at the ends of directories.
func TestOrder(t *testing.T) {
	t.Parallel()
	upper := testutil.Tar(t, testutil.Dir("./"), testutil.Dir("etc/"), testutil.File("etc/new", "n"), testutil.Dir("new/"), testutil.File("new/x", "x"), testutil.Dir("usr/"),
		testutil.Dir("usr/a/"), testutil.File("usr/a/.wh.none", ""), testutil.File("usr/a/e", "e"), testutil.File("usr/z", "Z"))
	r := mustWrite(t, layersOf(upper, walk(t)), Tar)
	var names []string
	for _, line := range strings.Split(strings.TrimSpace(listed(t, r)), "\n") {
		names = append(names, line[strings.LastIndexByte(line, ' ')+1:])
	}
	want := "./ ./usr/ ./usr/a/ ./usr/a/f ./usr/a/e ./usr/b ./usr/z ./etc/ ./etc/passwd ./etc/new ./new/ ./new/x"
	if got := strings.Join(names, " "); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	linesOf(t, r.tarball)
}

// TestSameBytes: neither the number of cores nor a second time changes a byte.
func TestSameBytes(t *testing.T) {
	t.Parallel()
	img := layersOf(testutil.GoldenTar(t, true), walk(t))
	for _, f := range []Format{XZ, Zstd, Gzip, Tar} {
		var first result
		for i, jobs := range []int{1, 2, 7} {
			r, err := writeTo(t, t.Context(), img, Options{Format: f, Jobs: jobs})
			testutil.Must(t, err)
			if i == 0 {
				first = r
			}
			if !bytes.Equal(r.tarball, first.tarball) || !bytes.Equal(r.contents, first.contents) || !bytes.Equal(r.digests.File(), first.digests.File()) {
				t.Errorf("%s: %d jobs give others", f, jobs)
			}
		}
	}
}

// TestGolden: the bytes of a tarball and of what stands beside it.
func TestGolden(t *testing.T) {
	t.Parallel()
	img := layersOf(testutil.GoldenTar(t, true), walk(t))
	xz, zstd, plain := mustWrite(t, img, XZ), mustWrite(t, img, Zstd), mustWrite(t, img, Tar)
	testutil.Golden(t, "stage4-xz", xz.digests.Tarball())
	testutil.Golden(t, "stage4-zstd", zstd.digests.Tarball())
	testutil.Golden(t, "stage4-tar", plain.digests.Tarball())
	testutil.Golden(t, "stage4-beside", digest.FromBytes(append(xz.digests.File(), xz.digests.SHA256()...)))
	if got := digest.FromBytes(xz.tarball); got != xz.digests.Tarball() {
		t.Errorf("the digest is %s, and of the file %s", xz.digests.Tarball(), got)
	}
}

// TestDamaged: a layer that is not what it says gives no tarball.
func TestDamaged(t *testing.T) {
	t.Parallel()
	stack := layersOf(walk(t))
	stack[0].DiffID = digest.FromString("another")
	if _, err := writeTo(t, t.Context(), stack, Options{Format: XZ}); err == nil {
		t.Error("it is written")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := writeTo(t, ctx, layersOf(walk(t)), Options{Format: Zstd}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
