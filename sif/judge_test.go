package sif

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
)

// What unsquashfs unpacks from a SIF file is what umoci unpacks from the same layers.
func TestMergeAgainstUmoci(t *testing.T) {
	testutil.Need(t, "unsquashfs")
	layertest.AgainstUmoci(t, testutil.View{Skip: own, Time: testutil.FileSeconds}, func(t *testing.T, tars [][]byte) string {
		path, info := writeSIF(t, Image{Layers: layersOf(tars...)}, Options{Jobs: 2})
		return unsquash(t, path, info)
	})
}

// What unsquashfs unpacks from a plain squashfs is what umoci unpacks from the same layers, all of it and nothing else.
func TestSquashfsAgainstUmoci(t *testing.T) {
	testutil.Need(t, "unsquashfs")
	layertest.AgainstUmoci(t, testutil.View{Time: testutil.FileSeconds}, func(t *testing.T, tars [][]byte) string {
		f, err := os.Create(filepath.Join(t.TempDir(), "x.squashfs"))
		testutil.Must(t, err)
		defer f.Close()
		_, err = f.WriteString(strings.Repeat("something longer that was there before", 1000))
		testutil.Must(t, err)
		testutil.Must(t, WriteSquashfs(t.Context(), f, layersOf(tars...), time.Unix(1e9, 0), Options{Jobs: 2}))
		return unsquash(t, f.Name(), written{})
	})
}
