package conformance

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
	"xtoo/layers/inode"
	"xtoo/layers/tree"
)

// Random images are the same to a script, which sees the directories of their layers on top of each other, and to a
// merge, which is what SIF files are written from.
func TestRandomImages(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	rounds := uint64(25)
	if testutil.IsLong() {
		rounds = 300
	}
	for seed := range rounds {
		image := randomImage(seed)
		checkImage(t, image)
		if t.Failed() {
			for i, l := range image {
				for _, it := range l {
					t.Logf("layer %d: %c %.40q %.40q %o %d:%d %.40q", i, it.Typeflag, it.Name, it.Linkname, it.Mode, it.Uid, it.Gid, it.PAXRecords)
				}
			}
			t.Fatalf("seed %d", seed)
		}
	}
}

func checkImage(t *testing.T, image [][]layertest.Item) {
	t.Helper()
	var streams [][]byte // topmost first
	for _, l := range slices.Backward(image) {
		streams = append(streams, layertest.Tar(t, l...))
	}
	want, mergeErr := merged(t.Context(), streams...)
	got, treeErr := stacked(t, streams)
	if mergeErr != nil || treeErr != nil {
		t.Errorf("merge: %v\ntree: %v", mergeErr, treeErr)
		return
	}
	testutil.SameTrees(t, "stacked directories and merge", withoutLinks(got), withoutLinks(want))
}

// withoutLinks leaves out which files are the same, since links across layers are copies in layer directories.
func withoutLinks(r result) result {
	out := result{}
	for p, is := range r {
		is, _, _ = strings.Cut(is, " is ")
		if p != "" {
			out[p] = is
		}
	}
	return out
}

// stacked has layers/tree make directories of streams, topmost first, and says what an overlay of them shows.
func stacked(t *testing.T, streams [][]byte) (result, error) {
	t.Helper()
	base := t.TempDir()
	defer func() {
		if err := tree.RemoveAll(context.Background(), base); err != nil {
			t.Error(err)
		}
	}()
	var lowers []string // top first
	for i, s := range slices.Backward(streams) {
		dir := filepath.Join(base, string(rune('a'+i)))
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := tree.Unpack(t.Context(), bytes.NewReader(s), dir, tree.UnpackOptions{Lowers: lowers, Whole: true}); err != nil {
			return nil, err
		}
		lowers = append([]string{dir}, lowers...)
	}
	upper, work, at := filepath.Join(base, "upper"), filepath.Join(base, "work"), filepath.Join(base, "at")
	if err := errors.Join(os.Mkdir(upper, 0o755), os.Mkdir(work, 0o755), os.Mkdir(at, 0o755)); err != nil {
		t.Fatal(err)
	}
	if err := tree.PrepareUpper(upper, lowers); err != nil {
		t.Fatal(err)
	}
	options := "userxattr,index=off,lowerdir=" + strings.Join(lowers, ":") + ",upperdir=" + upper + ",workdir=" + work
	if err := unix.Mount("overlay", at, "overlay", 0, options); err != nil {
		testutil.SkipOrFail(t, "mount an overlay in a user namespace: %v", err)
	}
	defer func() {
		if err := unix.Unmount(at, unix.MNT_DETACH); err != nil {
			t.Error(err)
		}
	}()
	return readTree(t, at).files, nil
}

// readTree reads a layer directory, or several through an overlay.
func readTree(t *testing.T, dir string) *dirTree {
	t.Helper()
	w := &walk{t: t, out: &dirTree{files: result{}, gone: map[string]bool{}, opaque: map[string]bool{}}, metas: map[string]*inode.Meta{},
		names: map[uint64][]string{}, content: map[string]string{}}
	root, err := inode.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer inode.CloseFD(root)
	st, err := inode.StatAt(root, ".")
	if err != nil {
		t.Fatal(err)
	}
	w.file(inode.RootHandle(root), "", &st)
	w.finish()
	return w.out
}
