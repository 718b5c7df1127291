package outputs

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/internal/testutil"
	"xtoo/rootfs"
)

func TestRootfs(t *testing.T) {
	enginetest.TestOutput(t, func(t *testing.T) enginetest.OutputCase {
		s, dir := newStore(t), filepath.Join(t.TempDir(), "deep", "roots")
		return enginetest.OutputCase{Output: &Rootfs{Place: Place{Store: s, Path: dir + "/"}}, Images: enginetest.Images(t, s, ""), Path: dir}
	})
}

// A directory is never replaced: not that of another image, not by force. An empty one is filled.
func TestRootfsReplacesNothing(t *testing.T) {
	s, dir := newStore(t), filepath.Join(t.TempDir(), "root")
	images := enginetest.Images(t, s, "scripts: [{name: y, run: echo y > /y}]\n")
	o := &Rootfs{Place: Place{Store: s, Path: dir, Force: true}}
	write := func(img engine.Image) error {
		if err := o.Check(projectsOf([]engine.Image{img})); err != nil {
			return err
		}
		return o.Write(t.Context(), []engine.Image{img}, func(engine.Written) {})
	}
	testutil.Must(t, os.Mkdir(dir, 0o755))
	testutil.Must(t, write(images[0]))
	before := testutil.Dump(t, dir)
	if err := write(images[2]); !errors.Is(err, rootfs.ErrNotEmpty) {
		t.Errorf("another image: %v", err)
	}
	testutil.Must(t, os.WriteFile(filepath.Join(dir, "mine"), nil, 0o600))
	if err := write(images[0]); !errors.Is(err, rootfs.ErrNotEmpty) {
		t.Errorf("something of the user's: %v", err)
	}
	testutil.Must(t, os.Remove(filepath.Join(dir, "mine")))
	after := testutil.Dump(t, dir)
	delete(before, ".")
	delete(after, ".")
	testutil.SameTrees(t, "what is refused", after, before)
}
