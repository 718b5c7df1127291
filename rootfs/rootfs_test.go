package rootfs

import (
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

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
	"xtoo/layers/merge"
)

func stackOf(tars ...[]byte) []merge.Layer {
	var stack []merge.Layer
	for _, data := range tars {
		stack = append(stack, merge.Layer{Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }})
	}
	return stack
}

// What root gets is what umoci unpacks from the same layers.
func TestAgainstUmoci(t *testing.T) {
	layertest.AgainstUmoci(t, testutil.View{Time: testutil.FileSeconds}, func(t *testing.T, tars [][]byte) string {
		dir := filepath.Join(t.TempDir(), "root")
		_, err := Write(t.Context(), dir, stackOf(tars...), Options{Warn: func(text string) { t.Error(text) }})
		testutil.Must(t, err)
		return dir
	})
}

// An image with what only root can have in a directory.
func awkward(t *testing.T) []byte {
	return layertest.Tar(t,
		layertest.Dir("./", 0o555), layertest.Dir("sealed", 0o111).WithOwner(7, 7), layertest.Reg("sealed/f", "x"),
		layertest.Reg("su", "y").WithMode(0o4755).WithOwner(12345, 12345), layertest.Char("null", 1, 3), layertest.Hard("zero", "null"),
		layertest.Reg("cap", "z").WithXattr("security.capability", "\x01\x00\x00\x02\x00\x04\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00"),
	)
}

// Whoever is not root, or root of a namespace with one id, has all files as his own, and is told what is not as the image says.
func TestNotRoot(t *testing.T) {
	if os.Geteuid() == 0 && !testutil.InNamespace(t) {
		return
	}
	dir := filepath.Join(t.TempDir(), "root")
	var warned []string
	size, err := Write(t.Context(), dir, stackOf(awkward(t)), Options{Warn: func(text string) { warned = append(warned, text) }})
	testutil.Must(t, err)
	if size != 3 {
		t.Errorf("%d bytes", size)
	}
	t.Cleanup(func() { _ = os.Chmod(dir, 0o755); _ = os.Chmod(filepath.Join(dir, "sealed"), 0o755) })
	for name, want := range map[string]uint32{"": 0o555, "sealed": 0o111, "su": 0o755} {
		var st unix.Stat_t
		testutil.Must(t, unix.Lstat(filepath.Join(dir, name), &st))
		if st.Mode&0o7777 != want || st.Uid != uint32(os.Geteuid()) {
			t.Errorf("%q has mode %#o and is %d's", name, st.Mode&0o7777, st.Uid)
		}
	}
	for _, name := range []string{"null", "zero"} {
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is there: %v", name, err)
		}
	}
	if len(warned) < 2 || !strings.Contains(warned[0], "this user's instead of their owners'") || !strings.Contains(warned[1], "1 device nodes are left out") {
		t.Errorf("warned of %q", warned)
	}
}

// Whatever fails leaves nothing; what a killed process left goes with the next call, what a living one fills stays.
func TestLeavesNothing(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	dir := filepath.Join(parent, "root")
	good := layertest.Tar(t, layertest.Dir("d", 0o000), layertest.Reg("e/f", "x"))
	for name, stack := range map[string][]merge.Layer{
		"cut":    stackOf(good[:700]),
		"second": stackOf(good, layertest.Tar(t, layertest.Reg("a", "x"), layertest.Reg("a/b", "x"))),
		"twice":  stackOf(layertest.Tar(t, layertest.Reg("a", "x"), layertest.Reg("a", "y")), good[:700]),
	} {
		if _, err := Write(t.Context(), dir, stack, Options{}); err == nil {
			t.Errorf("%s: it is taken", name)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := Write(ctx, dir, stackOf(good), Options{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	if left := testutil.Paths(t, parent); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
	for _, name := range []string{".root.123.part/d", ".root.mine.part", ".other.123.part"} {
		testutil.Must(t, os.MkdirAll(filepath.Join(parent, name), 0o755))
	}
	_, err := Write(t.Context(), dir, stackOf(good), Options{})
	testutil.Must(t, err)
	testutil.Must(t, os.Chmod(filepath.Join(dir, "d"), 0o700))
	want := []string{".other.123.part", ".root.mine.part", "root", "root/d", "root/e", "root/e/f"}
	if left := testutil.Paths(t, parent); !slices.Equal(left, want) {
		t.Errorf("%q", left)
	}
	for _, path := range []string{dir, filepath.Join(dir, "e", "f")} {
		if _, err := Write(t.Context(), path, stackOf(good), Options{}); !errors.Is(err, ErrNotEmpty) {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// No link in a layer leads out, and a directory that was given in two layers has the upper one's mode and the lower one's files.
func TestStaysInside(t *testing.T) {
	t.Parallel()
	parent := t.TempDir()
	outside := filepath.Join(parent, "outside")
	testutil.Must(t, os.Mkdir(outside, 0o755))
	dir := filepath.Join(parent, "root")
	_, err := Write(t.Context(), dir, stackOf(
		layertest.Tar(t, layertest.Reg("way/f", "upper"), layertest.Dir("d", 0o750)),
		layertest.Tar(t, layertest.Sym("way", outside), layertest.Dir("d", 0o700), layertest.Reg("d/x", "x"), layertest.Hard("y", "d/x"), layertest.Sym("abs", "/d/x")),
	), Options{})
	testutil.Must(t, err)
	want := []string{"outside", "root", "root/abs", "root/d", "root/d/x", "root/way", "root/way/f", "root/y"}
	if got := testutil.Paths(t, parent); !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	fi, err := os.Stat(filepath.Join(dir, "d"))
	testutil.Must(t, err)
	if got := fmt.Sprint(fi.Mode()); got != "drwxr-x---" {
		t.Error(got)
	}
}
