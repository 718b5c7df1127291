package chroot

import (
	"context"
	"io"
	"io/fs"
	"path/filepath"
	"testing"
)

// TestNodeLeavesRemovable: what an overlay leaves in its work directory, its owner can remove without xtoo.
func TestNodeLeavesRemovable(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h)
		n := r.freshWork()
		n.Spec.Process.Args = []string{"/bin/guest", "print", "x"}
		n.Output = io.Discard
		_, err := h.Run(context.Background(), n)
		must(t, err)
		seen := 0
		must(t, filepath.WalkDir(n.Work, func(path string, d fs.DirEntry, err error) error {
			if err != nil || path == n.Work {
				return err
			}
			seen++
			info, err := d.Info()
			if err == nil && d.IsDir() && info.Mode().Perm()&0o700 != 0o700 {
				t.Errorf("%s has mode %v", path, info.Mode())
			}
			return err
		}))
		if seen == 0 {
			t.Error("overlayfs has left nothing: the test sees nothing")
		}
	})
}
