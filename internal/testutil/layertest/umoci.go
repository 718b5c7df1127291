package layertest

import (
	"path/filepath"
	"testing"

	"xtoo/internal/testutil"
)

// AgainstUmoci compares what unpack makes of the layers of each case, given topmost first, with what umoci unpacks from them. unpack
// returns its directory. Only what view has of both counts. It needs root and umoci.
func AgainstUmoci(t *testing.T, view testutil.View, unpack func(t *testing.T, tars [][]byte) (dir string)) {
	t.Helper()
	testutil.NeedRoot(t)
	testutil.Need(t, "umoci")
	for _, c := range Cases {
		if c.Umoci != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			tars := c.Tars(t)
			dir, bundle := unpack(t, tars), filepath.Join(t.TempDir(), "bundle")
			testutil.Run(t, "umoci", "unpack", "--image", Layout(t, tars...)+":image", bundle)
			testutil.SameTrees(t, "xtoo", view.Dump(t, dir), view.Dump(t, filepath.Join(bundle, "rootfs")))
		})
	}
}
