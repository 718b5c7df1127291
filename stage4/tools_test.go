package stage4

import (
	"archive/tar"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
	"xtoo/layers/merge"
)

// TestListing: the listing is what GNU tar prints of the tarball, as catalyst has it printed.
func TestListing(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "tar")
	tool := testutil.Tool{Env: []string{"TZ=UTC", "LC_ALL=C.UTF-8"}}
	odd := testutil.Tar(t, testutil.Dir("./"), testutil.File("./with space", "x"), testutil.File("./new\nline\t\\\x01é\xff", "x").WithMode(0o7000),
		testutil.Symlink("./link", "to\\some thing"), testutil.File("./caps", "1").WithXattr("user.a", "b"), testutil.File("./ids", "12345").WithOwner(1<<21+1, 123456789))
	for _, img := range [][]merge.Layer{layersOf(testutil.GoldenTar(t, true), walk(t)), layersOf(odd)} {
		r := mustWrite(t, img, formatTar)
		if got, want := listed(t, r), tool.Run(t, "tar", "--xattrs", "-tvf", r.path); got != want {
			a, b := strings.Split(got, "\n"), strings.Split(want, "\n")
			for i := range min(len(a), len(b)) {
				if a[i] != b[i] {
					t.Errorf("got  %s\nwant %s", a[i], b[i])
				}
			}
		}
	}
}

// TestTools: the programs that people have agree about compression and sums.
func TestTools(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "tar", "xz", "zstd", "gzip", "sha256sum", "sha512sum", "b2sum")
	img := layersOf(testutil.GoldenTar(t, true), walk(t))
	plain := mustWrite(t, img, formatTar)
	for f, unpack := range map[Format][]string{formatXZ: {"xz", "-dc"}, formatZstd: {"zstd", "-dc"}, formatGzip: {"gzip", "-dc"}} {
		r := mustWrite(t, img, f)
		if got := testutil.Run(t, unpack[0], unpack[1], r.path); got != string(plain.tarball) {
			t.Errorf("%s: it is unpacked to %d bytes, not %d", f, len(got), len(plain.tarball))
		}
		beside := func(suffix string, text []byte) string {
			testutil.Must(t, os.WriteFile(r.path+suffix, text, 0o600))
			return filepath.Base(r.path) + suffix
		}
		tool := testutil.Tool{Dir: filepath.Dir(r.path)}
		tool.Run(t, "sha256sum", "--strict", "-c", beside(SHA256Suffix, r.digests.SHA256()))
		var sums [2]string // of the comments' kinds
		kinds := []string{"# BLAKE2B HASH", "# SHA512 HASH"}
		lines := strings.Split(strings.TrimSuffix(string(r.digests.File()), "\n"), "\n")
		for i := 0; i < len(lines); i += 2 {
			if lines[i] != kinds[i/2%2] {
				t.Errorf("%q", lines[i])
			}
			sums[i/2%2] += lines[i+1] + "\n"
		}
		tool.Run(t, "b2sum", "--strict", "-c", beside(".b2", []byte(sums[0])))
		tool.Run(t, "sha512sum", "--strict", "-c", beside(".512", []byte(sums[1])))
	}
}

// unpackedBy unpacks a tarball.
func unpackedBy(t *testing.T, path string, program ...string) map[string]string {
	t.Helper()
	dir := t.TempDir()
	testutil.Tool{Env: []string{"LC_ALL=C.UTF-8"}}.Run(t, program[0], append(program[1:], "-f", path, "-C", dir)...)
	return testutil.View{Xattr: isKept}.Dump(t, dir)
}

// isKept leaves out what a program has to be asked for.
func isKept(name string) bool {
	return strings.HasPrefix(name, "user.") || name == "security.capability"
}

// TestUnpacks: as root, GNU tar and bsdtar make the tree of the tarball, times of directories and all.
func TestUnpacks(t *testing.T) {
	t.Parallel()
	testutil.NeedRoot(t)
	testutil.Need(t, "tar", "bsdtar")
	gnu := []string{"tar", "--xattrs", "--xattrs-include=*", "--numeric-owner", "-xp"}
	bsd := []string{"bsdtar", "--numeric-owner", "-xp"}
	golden := layersOf(testutil.GoldenTar(t, true), walk(t))
	r := mustWrite(t, golden, formatXZ)
	want := unpackedBy(t, r.path, gnu...)
	got := unpackedBy(t, r.path, bsd...)
	for _, path := range []string{".", "usr/old"} { // it leaves the root's time, and cannot read fractions of a second before 1970
		delete(got, path)
		delete(want, path)
	}
	testutil.SameTrees(t, "bsdtar", got, want)

	// What GNU tar unpacks of each layer, one over the other, is the image, where the upper one hides nothing.
	upper, lower := testutil.Tar(t, testutil.Dir("./"), testutil.Dir("./usr/"), testutil.Dir("./usr/a/"), testutil.File("./usr/a/n", "n"), testutil.Device("./usr/c", tar.TypeChar, 1, 3)), walk(t)
	dir := t.TempDir()
	for _, stream := range [][]byte{lower, upper} {
		file := filepath.Join(t.TempDir(), "layer.tar")
		testutil.Must(t, os.WriteFile(file, stream, 0o600))
		testutil.Run(t, "tar", "-xpf", file, "-C", dir)
	}
	got = unpackedBy(t, mustWrite(t, layersOf(upper, lower), formatTar).path, gnu...)
	testutil.SameTrees(t, "the stage4", got, testutil.View{Xattr: isKept}.Dump(t, dir))
}

// TestAgainstUmoci: what tar unpacks from a stage4 is what umoci unpacks from the layers.
func TestAgainstUmoci(t *testing.T) {
	testutil.Long(t, "two programs are started for each of many images")
	testutil.Need(t, "tar")
	view := testutil.View{Time: testutil.FileSeconds, Skip: func(path string) bool { return path == "." }}
	layertest.AgainstUmoci(t, view, func(t *testing.T, tars [][]byte) string {
		dir := t.TempDir()
		testutil.Run(t, "tar", "-xpf", mustWrite(t, layersOf(tars...), formatXZ).path, "-C", dir)
		return dir
	})
}
