package sif

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

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

// What unsquashfs unpacks from a plain squashfs is what umoci unpacks from the same layers, all of it and nothing else.
func TestSquashfsAgainstUmoci(t *testing.T) {
	testutil.NeedRoot(t)
	testutil.Need(t, "umoci", "unsquashfs")
	for _, c := range layertest.Cases {
		if c.Umoci != "" {
			continue
		}
		t.Run(c.Name, func(t *testing.T) {
			tars := c.Tars(t)
			f, err := os.Create(filepath.Join(t.TempDir(), "x.squashfs"))
			testutil.Must(t, err)
			defer f.Close()
			_, err = f.WriteString(strings.Repeat("something longer that was there before", 1000))
			testutil.Must(t, err)
			testutil.Must(t, WriteSquashfs(t.Context(), f, layersOf(tars...), time.Unix(1e9, 0), Options{Jobs: 2}))
			view := testutil.View{Time: noDirTimes}
			got := view.Dump(t, unsquash(t, f.Name(), written{}))
			bundle := filepath.Join(t.TempDir(), "bundle")
			testutil.Run(t, "umoci", "unpack", "--image", layertest.Layout(t, tars...)+":image", bundle)
			testutil.SameTrees(t, "the squashfs", got, view.Dump(t, filepath.Join(bundle, "rootfs")))
		})
	}
}
