package chroot

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// TestControlGroupPlace: a group is made at the first place upwards that has the controllers, in which this user may make one
// and move processes. The directories only look like those of the kernel: scripts/ci/machines.sh has real ones.
func TestControlGroupPlace(t *testing.T) {
	root := t.TempDir()
	for dir, has := range map[string]string{"": "cpu memory pids", "user": "memory pids", "user/app": "pids", "user/app/scope": ""} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
		must(t, os.WriteFile(filepath.Join(root, dir, "cgroup.subtree_control"), []byte(has+"\n"), 0o600))
		must(t, os.WriteFile(filepath.Join(root, dir, procsFile), nil, 0o600))
	}
	own := []byte("9:name=systemd:/\n0::/user/app/scope\n")
	for limits, want := range map[[2]int64]string{{1 << 20, 0}: "user", {0, 5}: "user/app", {1 << 20, 5}: "user"} {
		from, at := groupPlace(root, own, limits[0], limits[1])
		if from != filepath.Join(root, "user/app/scope") || at != filepath.Join(root, want) {
			t.Errorf("%v: from %s at %s", limits, from, at)
		}
	}
	for _, own := range []string{"", "0::/../escape\n", "1:memory:/x\n"} {
		if g, err := makeControlGroup(root, []byte(own), 1, 1); !errors.Is(err, errNoControlGroup) {
			t.Errorf("%q: %+v, %v", own, g, err)
		}
	}
	// Where processes cannot be moved, a group is good for nothing.
	must(t, os.Remove(filepath.Join(root, "user/app", procsFile)))
	if _, at := groupPlace(root, own, 0, 5); at != filepath.Join(root, "user") {
		t.Errorf("at %s", at)
	}
}

// TestControlGroupFiles: only a limit of swap may be missing.
func TestControlGroupFiles(t *testing.T) {
	dir, from := t.TempDir(), t.TempDir()
	has := func(name, want string) {
		t.Helper()
		data, err := os.ReadFile(filepath.Join(dir, name))
		must(t, err)
		if string(data) != want {
			t.Errorf("%s has %q, want %q", name, data, want)
		}
	}
	open := func() (*controlGroup, error) {
		g := &controlGroup{dir: dir, most: 5}
		err := g.open(from, 1<<20)
		t.Cleanup(func() {
			for _, f := range g.files() {
				_ = f.Close()
			}
		})
		return g, err
	}
	if _, err := open(); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("there is no memory.max: %v", err)
	}
	for _, name := range []string{"memory.max", "pids.max", procsFile} {
		must(t, os.WriteFile(filepath.Join(dir, name), nil, 0o600))
	}
	g, err := open()
	must(t, err)
	has("memory.max", "1048576")
	if _, err := os.Stat(filepath.Join(dir, "memory.swap.max")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("made what the kernel has not: %v", err)
	}
	if files, args := (bounds{group: g}).files(); len(files) != 2 || args != (groupArgs{Files: 2, Pids: 5}) {
		t.Errorf("%v, %+v", files, args)
	}
	must(t, os.WriteFile(filepath.Join(from, procsFile), nil, 0o600))
	g, err = open()
	must(t, err)
	files, args := bounds{group: g}.files()
	pid, err := args.around(func(i int) *os.File { return files[i-1] }, func() (int, error) {
		has(procsFile, "0")
		has("pids.max", "")
		return 7, nil
	})
	must(t, err)
	has("pids.max", "5")
	dir, from = from, dir
	has(procsFile, "0")
	dir = from
	if pid != 7 {
		t.Errorf("process %d", pid)
	}
	must(t, os.Mkdir(filepath.Join(dir, "memory.swap.max"), 0o700)) // cannot be written to
	if _, err := open(); err == nil {
		t.Error("swap is not limited, and nobody says so")
	}
}

// TestControlGroupNotes: what was reached is said, beside the error that it caused too.
func TestControlGroupNotes(t *testing.T) {
	b := bounds{group: &controlGroup{dir: t.TempDir()}}
	failed := errors.New("cannot start")
	if err := b.explain(failed); err != failed || len(b.notes()) != 0 { //nolint:errorlint // the very same
		t.Errorf("nothing was reached: %v, %q", err, b.notes())
	}
	must(t, os.WriteFile(filepath.Join(b.group.dir, "memory.events"), []byte("low 0\noom_kill 2\n"), 0o600))
	must(t, os.WriteFile(filepath.Join(b.group.dir, "pids.events"), []byte("max 1\n"), 0o600))
	notes := b.notes()
	if len(notes) != 2 {
		t.Fatalf("%q", notes)
	}
	contains(t, notes[0], "2 processes were killed")
	err := b.explain(failed)
	if !errors.Is(err, failed) {
		t.Error(err)
	}
	contains(t, err.Error(), "2 processes were killed", "1 processes could not be started")
}
