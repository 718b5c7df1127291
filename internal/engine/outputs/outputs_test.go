package outputs

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
)

func newStore(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(filepath.Join(t.TempDir(), "store"), store.OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestLayout(t *testing.T) {
	enginetest.TestOutput(t, func(t *testing.T) enginetest.OutputCase {
		s, dir := newStore(t), filepath.Join(t.TempDir(), "deep", "oci")
		return enginetest.OutputCase{Output: &Layout{Store: s, Dir: dir}, Images: enginetest.Images(t, s, ""), Path: dir}
	})
}

func TestSIF(t *testing.T) {
	enginetest.TestOutput(t, func(t *testing.T) enginetest.OutputCase {
		s, dir := newStore(t), filepath.Join(t.TempDir(), "deep", "sif")
		return enginetest.OutputCase{Output: &SIF{Place: Place{Store: s, Path: dir + "/"}, Jobs: 1}, Images: enginetest.Images(t, s, ""), Path: dir}
	})
}

func TestSquashfs(t *testing.T) {
	enginetest.TestOutput(t, func(t *testing.T) enginetest.OutputCase {
		s, dir := newStore(t), filepath.Join(t.TempDir(), "deep", "squashfs")
		return enginetest.OutputCase{Output: &Squashfs{Place: Place{Store: s, Path: dir + "/"}, Jobs: 1}, Images: enginetest.Images(t, s, ""), Path: dir}
	})
}

// A tag of several platforms is one entry of the layout: their index.
func TestLayoutHasTags(t *testing.T) {
	s, dir := newStore(t), filepath.Join(t.TempDir(), "oci")
	images := enginetest.Images(t, s, "image: {labels: {a: b}}\n")
	if err := (&Layout{Store: s, Dir: dir}).Write(t.Context(), images, func(engine.Written) {}); err != nil {
		t.Fatal(err)
	}
	l, err := oci.OpenLayout(dir)
	if err != nil {
		t.Fatal(err)
	}
	refs, err := l.Refs()
	if err != nil || len(refs) != 2 || refs[0].Name != "top" || refs[0].Descriptor.Digest != engine.TagOf(images[:2]...).Descriptor.Digest || refs[1].Name != "top/below" {
		t.Errorf("references %+v: %v", refs, err)
	}
}

func TestLayoutRefused(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{dir, file, filepath.Join(file, "below")} {
		if err := (&Layout{Dir: path}).Check(nil); err == nil || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v", path, err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "new"), t.TempDir()} {
		if err := (&Layout{Dir: path}).Check(nil); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

func projectsOf(images []engine.Image) []*projects.PlannedProject {
	var out []*projects.PlannedProject
	for _, img := range images {
		out = append(out, img.Project)
	}
	return out
}

func TestSIFNames(t *testing.T) {
	s := newStore(t)
	images := enginetest.Images(t, s, "outputs: {sif: own.sif}\n")
	dir := t.TempDir()
	all := projectsOf(images)
	var usage *UsageError
	if err := (&SIF{Place: Place{Store: s, Path: filepath.Join(dir, "x.sif")}}).Check(all); !errors.As(err, &usage) || !strings.Contains(usage.Hint(), "x.sif/") {
		t.Errorf("one file for two projects: %v", err)
	}
	for _, c := range []struct {
		path   string
		images []engine.Image
		want   string
	}{
		{"", images[:2], ""},
		{filepath.Join(dir, "x.sif"), images[:1], "x.sif"},
		{filepath.Join(dir, "x.sif"), images[:2], "x-x86-64bit-generic_64.sif x-riscv-64bit-"},
		{dir, images[:2], "top-x86-64bit-generic_64.sif top-riscv-64bit-"},
		{"", images[2:3], "own-x86-64bit-generic_64.sif"},
	} {
		asked := (&SIF{Place: Place{Store: s, Path: c.path}}).asked()
		targets, err := asked.targets(projectsOf(c.images))
		var names []string
		for _, f := range targets {
			names = append(names, filepath.Base(f.path))
		}
		if got := strings.Join(names, " "); err != nil || !strings.HasPrefix(got, c.want) || (got == "") != (c.want == "") {
			t.Errorf("%q: %q, want %q: %v", c.path, got, c.want, err)
		}
	}
}

// A file with other bytes is replaced where the user says so, or where a configuration names it and xtoo wrote it.
func TestSIFReplaces(t *testing.T) {
	s := newStore(t)
	first := enginetest.Images(t, s, "image: {labels: {a: b}}\n")
	second := enginetest.Images(t, s, "image: {labels: {a: c}}\n")
	path := filepath.Join(t.TempDir(), "x.sif")
	write := func(o SIF, img engine.Image) (changed bool, err error) {
		o.Store, o.Path, o.Jobs = s, path, 1
		err = o.Write(t.Context(), []engine.Image{img}, func(w engine.Written) { changed = w.Changed })
		return changed, err
	}
	if changed, err := write(SIF{}, first[2]); err != nil || !changed {
		t.Fatal(changed, err)
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := write(SIF{}, second[2]); !errors.Is(err, errExists) {
		t.Errorf("other bytes: %v", err)
	}
	if now, err := os.ReadFile(path); err != nil || string(now) != string(before) {
		t.Errorf("a refused file has changed: %v", err)
	}
	if changed, err := write(SIF{Place: Place{Force: true}}, second[2]); err != nil || !changed {
		t.Errorf("by force: %v, %v", changed, err)
	}
	// The same bytes that nothing is remembered of.
	if err := errors.Join(os.Remove(path), os.WriteFile(path, before, 0o755)); err != nil {
		t.Fatal(err)
	}
	if changed, err := write(SIF{}, first[2]); err != nil || changed {
		t.Errorf("the same bytes: %v, %v", changed, err)
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left: %q", left)
	}
}

func TestSIFReplacesItsOwn(t *testing.T) {
	s := newStore(t)
	first := enginetest.Images(t, s, "outputs: {sif: own.sif}\n")
	second := enginetest.Images(t, s, "outputs: {sif: own.sif}\nimage: {labels: {a: c}}\n")
	path := filepath.Join(t.TempDir(), "own.sif")
	write := func(img engine.Image) error {
		img.Project.Outputs[projects.OutputSIF] = path
		return (&SIF{Place: Place{Store: s}, Jobs: 1}).Write(t.Context(), []engine.Image{img}, func(engine.Written) {})
	}
	if err := errors.Join(write(first[2]), write(second[2])); err != nil {
		t.Errorf("its own: %v", err)
	}
	if err := os.WriteFile(path, []byte("somebody's"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := write(first[2]); !errors.Is(err, errExists) {
		t.Errorf("somebody's: %v", err)
	}
}

func TestDamagedConfig(t *testing.T) {
	s := newStore(t)
	images := enginetest.Images(t, s, "")
	if err := os.WriteFile(filepath.Join(s.LayoutDir(), "blobs/sha256", images[0].Config.Digest.Encoded()), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "x.sif")
	err := (&SIF{Place: Place{Store: s, Path: path}}).Write(t.Context(), images[:1], func(engine.Written) {})
	if !errors.Is(err, store.ErrDamaged) {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a file is there: %v", err)
	}
}
