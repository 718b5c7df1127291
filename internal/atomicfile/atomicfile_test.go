package atomicfile

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"xtoo/internal/testutil"
)

// TestEnds: every end of a file leaves what it says, and nothing beside it.
func TestEnds(t *testing.T) {
	for name, c := range map[string]struct {
		end  func(f *File, dir string) error
		want []string
	}{
		"commit":    {func(f *File, _ string) error { return f.Commit() }, []string{"a"}},
		"commit as": {func(f *File, dir string) error { return f.commitAs(filepath.Join(dir, "b")) }, []string{"b"}},
		"place":     {func(f *File, dir string) error { return f.Place(filepath.Join(dir, "b")) }, []string{"b"}},
		"abort":     {func(f *File, _ string) error { f.Abort(); return nil }, nil},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			f, err := Create(filepath.Join(dir, "a"), 0o640)
			testutil.Must(t, err)
			_, err = f.Write([]byte("text"))
			testutil.Must(t, err)
			testutil.Must(t, c.end(f, dir))
			f.Abort()
			if err := f.Place(filepath.Join(dir, "c")); err == nil {
				t.Error("it ends twice")
			}
			if got := testutil.Paths(t, dir); !slices.Equal(got, c.want) {
				t.Errorf("it leaves %q, want %q", got, c.want)
			}
			for _, file := range c.want {
				if data, err := os.ReadFile(filepath.Join(dir, file)); err != nil || string(data) != "text" {
					t.Errorf("%s has %q, %v", file, data, err)
				}
			}
		})
	}
}

// TestNowhere: what cannot be put in its place leaves nothing.
func TestNowhere(t *testing.T) {
	dir := t.TempDir()
	f, err := Create(filepath.Join(dir, "a"), 0o600)
	testutil.Must(t, err)
	if err := f.Place(filepath.Join(dir, "none", "a")); err == nil {
		t.Error("there is no such directory")
	}
	if left := testutil.Paths(t, dir); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
}
