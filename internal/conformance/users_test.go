package conformance

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/internal/testutil/layertest"
	"xtoo/layers"
	"xtoo/layers/inode"
	"xtoo/layers/merge"
	"xtoo/layers/tree"
	"xtoo/oci"
)

// A result is what a user makes of a stream: names and what they are, a line each.
type result map[string]string

// line describes a file by everything that a layer says of it. of is its first name.
func line(m *layers.Member, content, of string) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%#o %d:%d %s", m.Mode, m.UID, m.GID, m.ModTime.UTC().Format("2006-01-02T15:04:05.999999999"))
	switch {
	case m.IsRegular():
		fmt.Fprintf(&b, " %d %s", m.Size, content)
	case m.IsDevice():
		fmt.Fprintf(&b, " %d:%d", m.Major, m.Minor)
	case m.Target != "":
		fmt.Fprintf(&b, " -> %q", m.Target)
	}
	for _, name := range slices.Sorted(maps.Keys(m.Xattrs)) {
		fmt.Fprintf(&b, " %q=%q", name, m.Xattrs[name])
	}
	if of != "" {
		fmt.Fprintf(&b, " is %q", of)
	}
	return b.String()
}

// sink remembers what a merge gives it.
type sink struct {
	files map[string]*found
}

type found struct {
	m       layers.Member
	content string
	names   []string
	implied bool // a directory that no layer describes
}

func (s *sink) Add(m *layers.Member, data io.Reader) error {
	f := &found{m: *m, names: []string{m.Path}}
	if m.IsRegular() {
		sum := digest.SHA256.Digester()
		if _, err := io.CopyN(sum.Hash(), data, m.Size); err != nil {
			return err
		}
		f.content = sum.Digest().Encoded()[:8]
	}
	if s.files[m.Path] != nil {
		return fmt.Errorf("%q is given twice", m.Path)
	}
	s.files[m.Path] = f
	return nil
}

func (s *sink) Link(path, target string) error {
	f := s.files[target]
	if f == nil || s.files[path] != nil {
		return fmt.Errorf("%q is made a name of %q", path, target)
	}
	f.names = append(f.names, path)
	s.files[path] = f
	return nil
}

// merged has layers/merge say what is visible of streams, topmost first.
func merged(ctx context.Context, streams ...[]byte) (result, error) {
	files, err := mergedFiles(ctx, streams...)
	if err != nil {
		return nil, err
	}
	out := result{}
	for p, f := range files {
		of := ""
		if len(f.names) > 1 {
			of = slices.Min(f.names)
		}
		out[p] = line(&f.m, f.content, of)
	}
	return out, nil
}

func mergedFiles(ctx context.Context, streams ...[]byte) (map[string]*found, error) {
	var stack []merge.Layer
	for _, b := range streams {
		stack = append(stack, merge.Layer{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b)), nil }})
	}
	s := &sink{}
	view, err := merge.Layers(ctx, stack, func() (merge.Sink, error) {
		s.files = map[string]*found{}
		return s, nil
	}, merge.Options{})
	if err != nil {
		return nil, err
	}
	for p := range view.Implied() {
		s.files[p] = &found{m: layers.Member{Mode: unix.S_IFDIR | 0o755, ModTime: epoch}, names: []string{p}, implied: true}
	}
	return s.files, nil
}

// A dirTree is what layers/tree makes of a stream: what is there, what is hidden, and what could not be kept.
type dirTree struct {
	files        result
	gone, opaque map[string]bool
}

// unpacked has layers/tree make a directory of a stream, on top of one made of another.
func unpacked(t *testing.T, stream, below []byte) (*dirTree, error) {
	t.Helper()
	low := filepath.Join(t.TempDir(), "low")
	top := filepath.Join(t.TempDir(), "top")
	if err := errors.Join(os.Mkdir(low, 0o755), os.Mkdir(top, 0o755)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(tree.RemoveAll(context.Background(), low), tree.RemoveAll(context.Background(), top)); err != nil {
			t.Error(err)
		}
	})
	var o tree.UnpackOptions
	if below != nil {
		if _, err := tree.Unpack(t.Context(), bytes.NewReader(below), low, tree.UnpackOptions{}); err != nil {
			t.Fatal(err)
		}
		o.Lowers = []string{low}
	}
	res, err := tree.Unpack(t.Context(), bytes.NewReader(stream), top, o)
	if err != nil {
		return nil, err
	}
	out := readTree(t, top)
	if res.OpaqueRoot {
		out.opaque[""] = true
	}
	return out, nil
}

// A walk reads a layer directory.
type walk struct {
	t       *testing.T
	out     *dirTree
	metas   map[string]*inode.Meta
	names   map[uint64][]string // by inode number
	content map[string]string
}

func (w *walk) file(h inode.Handle, p string, st *unix.Stat_t) {
	m, err := inode.ReadMeta(h, st)
	if err != nil {
		w.t.Fatalf("%s: %v", p, err)
	}
	if !m.Disk.Implied {
		w.metas[p] = m
	}
	switch {
	case m.IsDir():
		if m.Disk.Opaque {
			w.out.opaque[p] = true
		}
		w.dir(h.FD, p)
		return
	case m.IsRegular():
		sum := digest.SHA256.Digester()
		if _, err := io.Copy(sum.Hash(), io.NewSectionReader(inode.FdReaderAt(h.FD), 0, m.Size)); err != nil {
			w.t.Fatal(err)
		}
		w.content[p] = sum.Digest().Encoded()[:8]
	}
	w.names[st.Ino] = append(w.names[st.Ino], p)
}

func (w *walk) dir(fd int, p string) {
	names, err := inode.ReadNames(fd)
	if err != nil {
		w.t.Fatal(err)
	}
	for _, name := range names {
		child := path.Join(p, name)
		st, err := inode.StatAt(fd, name)
		if err != nil {
			w.t.Fatal(err)
		}
		if inode.IsWhiteout(&st) {
			w.out.gone[child] = true
			continue
		}
		h, err := inode.Open(fd, name, &st)
		if err != nil {
			w.t.Fatal(err)
		}
		w.file(h, child, &st)
		h.Close()
	}
}

// finish makes the lines.
func (w *walk) finish() {
	of := map[string]string{}
	for _, names := range w.names {
		if len(names) > 1 {
			first := slices.Min(names)
			for _, n := range names {
				of[n] = first
			}
		}
	}
	for p, m := range w.metas {
		w.out.files[p] = line(&m.Member, w.content[p], of[p])
	}
}

// imported has oci import an image whose only layer is the stream.
func imported(t *testing.T, stream []byte) error {
	t.Helper()
	var stored []byte
	_, err := oci.Reference{Transport: "oci", Path: layertest.Layout(t, stream), Name: "image"}.Import(t.Context(), blobSink{&stored}, oci.ImportOptions{})
	if err == nil && !bytes.Equal(stored, stream) {
		t.Error("the import stored something else")
	}
	return err
}

// A blobSink takes the only blob of an import.
type blobSink struct{ to *[]byte }

func (s blobSink) Create(context.Context) (oci.BlobWriter, error) { return &blobWriter{to: s.to}, nil }

type blobWriter struct {
	bytes.Buffer
	to *[]byte
}

func (w *blobWriter) Commit() (digest.Digest, int64, error) {
	*w.to = w.Bytes()
	return digest.FromBytes(w.Bytes()), int64(w.Len()), nil
}

func (w *blobWriter) Abort() {}
