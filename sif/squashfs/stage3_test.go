package squashfs

import (
	"archive/tar"
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xtoo/internal/streams/xz"
	"xtoo/internal/testutil"
)

// stage3Var names a stage3, .tar or .tar.xz, to be packed and compared member by member.
const stage3Var = "XTOO_TEST_STAGE3"

// openStage3 opens the stage3's tar stream.
func openStage3(t *testing.T) io.Reader {
	t.Helper()
	name := os.Getenv(stage3Var)
	if name == "" {
		testutil.SkipOrFail(t, "%s names no stage3", stage3Var)
	}
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	b := bufio.NewReaderSize(f, 1<<20)
	if head, err := b.Peek(6); err != nil || !bytes.Equal(head, []byte("\xfd7zXZ\x00")) {
		return b
	}
	return xz.NewReader(b, 128<<20)
}

// tarFacts is a tar's view of the files it holds.
func tarFacts(t *testing.T, r io.Reader) map[string]facts {
	t.Helper()
	all := map[string]facts{}
	groups := map[string][]string{}
	first := map[string]string{}
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		p := clean(h.Name)
		if h.Typeflag == tar.TypeLink {
			of := first[clean(h.Linkname)]
			first[p] = of
			groups[of] = append(groups[of], p)
			continue
		}
		e := tarEntry(h)
		f := facts{Mode: e.Mode, UID: e.UID, GID: e.GID, Links: 1, Time: int64(unixTime(e.ModTime)), Xattrs: xattrFact(e.Xattrs)}
		switch e.Mode & modeType {
		case modeDir:
			f.Links = 2
		case modeSymlink:
			f.Target = e.Target
		case modeChar, modeBlock:
			f.Major, f.Minor = e.Major, e.Minor
		case modeFile:
			f.Data = dataFact(t, tr)
		}
		all[p], first[p], groups[p] = f, p, []string{p}
	}
	for of, paths := range groups {
		f := all[of]
		if f.Mode&modeType == modeDir {
			continue
		}
		f.Links, f.Same = uint32(len(paths)), slices.Min(paths)
		for _, p := range paths {
			all[p] = f
		}
	}
	for p, f := range all {
		if f.Mode&modeType == modeDir && p != "." {
			d := all[path.Dir(p)]
			d.Links++
			all[path.Dir(p)] = d
		}
	}
	return all
}

// TestStage3 streams a whole stage3 into a filesystem and compares every member, as the Reader, the
// kernel and unsquashfs see it.
func TestStage3(t *testing.T) {
	want := tarFacts(t, openStage3(t))
	image := buildWith(t, Options{}, func(w *Writer) {
		if err := addTar(w, openStage3(t)); err != nil {
			t.Fatal(err)
		}
	})
	r := open(t, image)
	if err := r.Verify(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Logf("%d members", len(want))
	sameFacts(t, "reader", readFacts(t, r), want, nil)
	if os.Geteuid() != 0 {
		return
	}
	sameFacts(t, "kernel", diskFacts(t, mount(t, image)), want, nil)
	testutil.Need(t, "unsquashfs")
	out := filepath.Join(t.TempDir(), "out")
	testutil.Run(t, "unsquashfs", "-no-progress", "-quiet", "-dest", out, image)
	sameFacts(t, "unsquashfs", diskFacts(t, out), want, nil)
	if n := strings.Count(testutil.Run(t, "unsquashfs", "-no-progress", "-lls", image), "squashfs-root"); n < len(want) {
		t.Errorf("unsquashfs lists %d of %d", n, len(want))
	}
}
