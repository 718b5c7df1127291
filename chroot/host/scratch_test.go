package host

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

func TestHoldsLayers(t *testing.T) {
	for name, want := range map[string]bool{"ext4": true, "file system 0x1": true, "nfs": false, "lustre": false, "9p": false, "fuse": false, "overlay": false, "ramfs": false} {
		if got := holdsLayers(name, "6.1.0"); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
	if holdsLayers("tmpfs", "6.5.0") || !holdsLayers("tmpfs", "6.6.0-1") {
		t.Error("tmpfs has user xattrs since 6.6")
	}
	if isLocalDisk("file system 0x1", "6.6.0") || isLocalDisk("tmpfs", "5.10.0") || !isLocalDisk("xfs", "5.10.0") {
		t.Error("a file system that nobody knows is no place to go to unasked")
	}
}

func TestMountedAs(t *testing.T) {
	if kind := mountedAs("/proc/self", "/proc/thread-self/mountinfo"); kind != "proc" {
		t.Errorf("/proc is %q", kind)
	}
	if kind := mountedAs(t.TempDir(), "/nonexistent") + mountedAs("/nonexistent", "/proc/thread-self/mountinfo"); kind != "" {
		t.Errorf("nothing is %q", kind)
	}
}

// TestScratch: the scratch is one of the store's own, where nobody else has prepared anything.
func TestScratch(t *testing.T) {
	place := t.TempDir()
	if !isLocalDisk(FilesystemName(place), KernelRelease()) {
		testutil.SkipOrFail(t, "the temporary directory is on %s", FilesystemName(place))
	}
	onDisk := func(name string) bool { return isLocalDisk(name, KernelRelease()) }
	one, other := scratchIn([]string{"relative", "/proc", place}, "/a/store", onDisk), scratchIn([]string{place}, "/b/store", onDisk)
	if filepath.Dir(filepath.Dir(one)) != place || one == other || filepath.Dir(one) != filepath.Dir(other) {
		t.Fatalf("%q, %q", one, other)
	}
	if info, err := os.Stat(filepath.Dir(one)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	if again := scratchIn([]string{place}, "/a/store", onDisk); again != one {
		t.Errorf("%q, then %q", one, again)
	}
	// What anybody could write to, or a link, is not taken.
	must(t, os.Chmod(filepath.Dir(one), 0o777))
	if dir := scratchIn([]string{place}, "/a/store", onDisk); dir != "" {
		t.Errorf("took %q", dir)
	}
	must(t, os.Rename(filepath.Dir(one), place+"/elsewhere"))
	must(t, os.Chmod(place+"/elsewhere", 0o700))
	must(t, os.Symlink(place+"/elsewhere", filepath.Dir(one)))
	if dir := scratchIn([]string{place}, "/a/store", onDisk); dir != "" {
		t.Errorf("took %q", dir)
	}
	if dir := Scratch(place); dir != "" {
		t.Errorf("a store on a disk of its own got the scratch %s", dir)
	}
	f := ScratchFinding(place, one)
	if f.State != StateOK || !strings.Contains(f.Detail, one) {
		t.Errorf("%+v", f)
	}
}
