package atomicfile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"xtoo/internal/filelock"
	"xtoo/internal/testutil"
)

// made is a file of either kind, with the content "new".
func made(t *testing.T, path string, named bool) *File {
	t.Helper()
	create := CreateOutput
	if named {
		create = createHeld
	}
	f, err := create(path, 0o755)
	testutil.Must(t, err)
	_, err = f.WriteString("new")
	testutil.Must(t, err)
	return f
}

func TestOutput(t *testing.T) {
	for _, named := range []bool{false, true} {
		for _, old := range []bool{false, true} {
			dir := t.TempDir()
			path := filepath.Join(dir, "out.sif")
			want := []string(nil)
			if old {
				testutil.Must(t, os.WriteFile(path, []byte("old"), 0o600))
				want = []string{"out.sif"}
			}
			f := made(t, path, named)
			if got := testutil.Paths(t, dir); f.unnamed && !slices.Equal(got, want) {
				t.Errorf("while it is written there are %q", got)
			}
			if !f.unnamed && !named {
				t.Logf("%s has no unnamed files", dir)
			}
			f.Abort()
			if got := testutil.Paths(t, dir); !slices.Equal(got, want) {
				t.Errorf("after Abort there are %q", got)
			}
			testutil.Must(t, made(t, path, named).Commit())
			data, err := os.ReadFile(path)
			info, statErr := os.Stat(path)
			if err != nil || statErr != nil || string(data) != "new" || info.Mode().Perm()&0o700 != 0o700 {
				t.Errorf("it holds %q, %v; %v, %v", data, err, info, statErr)
			}
			if got := testutil.Paths(t, dir); !slices.Equal(got, []string{"out.sif"}) {
				t.Errorf("after Commit there are %q", got)
			}
		}
	}
}

// TestDeadOutput: what a killed process left is removed by the next who writes that file; what is being written, what
// is another file's, and what is somebody else's stay.
func TestDeadOutput(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "out.sif")
	for _, name := range []string{".out.sif.ABCDEFGHIJKL.part", ".other.sif.ABCDEFGHIJKL.part", ".out.sif.part", ".out.sif.mine.part", ".out.sif.ABCDEFGHIJKL.part.bak"} {
		testutil.Must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	testutil.Must(t, os.Mkdir(filepath.Join(dir, ".out.sif.ABCDEFGHIJKM.part"), 0o700))
	alive := made(t, path, true)
	defer alive.Abort()
	testutil.Must(t, made(t, path, false).Commit())
	want := []string{
		".other.sif.ABCDEFGHIJKL.part", ".out.sif.ABCDEFGHIJKL.part.bak", ".out.sif.ABCDEFGHIJKM.part", ".out.sif.mine.part", ".out.sif.part",
		filepath.Base(alive.Name()), "out.sif",
	}
	slices.Sort(want)
	if got := testutil.Paths(t, dir); !slices.Equal(got, want) {
		t.Errorf("there are %q,\nwant %q", got, want)
	}
	testutil.Must(t, alive.Commit())
}

// TestOutputNowhere: an error names the directory that is not there, or cannot be written to.
func TestOutputNowhere(t *testing.T) {
	dir := t.TempDir()
	if f, err := CreateOutput(filepath.Join(dir, "none", "x"), 0o600); err == nil {
		f.Abort()
		t.Error("there is no such directory")
	}
	f, err := CreateOutput(filepath.Join(dir, "x"), 0o600)
	testutil.Must(t, err)
	testutil.Must(t, os.Mkdir(filepath.Join(dir, "x"), 0o700))
	if err := f.Commit(); err == nil {
		t.Error("a directory is in its place")
	}
	if got := testutil.Paths(t, dir); !slices.Equal(got, []string{"x"}) {
		t.Errorf("after an error there are %q", got)
	}
}

func TestHold(t *testing.T) {
	f := made(t, filepath.Join(t.TempDir(), "x"), true)
	defer f.Abort()
	other, err := os.Open(f.Name())
	testutil.Must(t, err)
	defer other.Close()
	if err := filelock.Hold(other); err == nil {
		t.Error("two hold one lock")
	}
}
