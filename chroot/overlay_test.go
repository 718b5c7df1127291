package chroot

import (
	"context"
	"io"
	"os"
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
		names, err := os.ReadDir(n.Work)
		must(t, err)
		if len(names) == 0 {
			t.Fatal("overlayfs has left nothing: the test sees nothing")
		}
		for _, e := range names {
			info, err := os.Lstat(filepath.Join(n.Work, e.Name()))
			must(t, err)
			if e.IsDir() && info.Mode().Perm()&0o700 != 0o700 {
				t.Errorf("%s has mode %v", e.Name(), info.Mode())
			}
		}
	})
}
