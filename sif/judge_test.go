package sif

import (
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
)

// noDirTimes is the time of what is no directory, in seconds.
func noDirTimes(st *unix.Stat_t) string {
	if st.Mode&unix.S_IFMT == unix.S_IFDIR {
		return ""
	}
	return testutil.Seconds(st)
}

// What unsquashfs unpacks from a SIF file is what umoci unpacks from the same layers.
func TestMergeAgainstUmoci(t *testing.T) {
	testutil.NeedRoot(t)
	testutil.Need(t, "umoci", "unsquashfs")
	for _, c := range layertest.Cases {
		if c.Umoci != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			tars := c.Tars(t)
			path, info := writeSIF(t, Image{Layers: layersOf(tars...)}, Options{Jobs: 2})
			view := testutil.View{Skip: own, Time: noDirTimes}
			got := view.Dump(t, unsquash(t, path, info))
			bundle := filepath.Join(t.TempDir(), "bundle")
			testutil.Run(t, "umoci", "unpack", "--image", layertest.Layout(t, tars...)+":image", bundle)
			testutil.SameTrees(t, "the SIF file", got, view.Dump(t, filepath.Join(bundle, "rootfs")))
		})
	}
}
