package oci

import (
	"archive/tar"
	"errors"
	"fmt"
	"strings"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/internal/testutil/layertest"
)

// A layer of a few blocks that stands for more than any disk holds is refused before anything is unpacked.
func TestLayerBomb(t *testing.T) {
	holes := func(name string, size int64) []byte {
		records := testutil.RawRecord("GNU.sparse.major", "1") + testutil.RawRecord("GNU.sparse.minor", "0") + testutil.RawRecord("GNU.sparse.realsize", fmt.Sprint(size))
		return testutil.RawExtended('x', records, testutil.RawHeader(name, tar.TypeReg, "00000001000\x00"), testutil.RawPad([]byte("0\n")))
	}
	many := func(n int, size int64) []byte {
		var all [][]byte
		for i := range n {
			all = append(all, holes(fmt.Sprint("f", i), size))
		}
		return testutil.RawEnd(all...)
	}
	for name, c := range map[string]struct {
		layer []byte
		want  string
	}{
		"a file":    {many(1, 1<<60), `entry "f0": too large: a file of 1152921504606846976 bytes`},
		"all files": {many(17, 64<<30), `entry "f16": too large: files of more than`},
		"fits":      {many(16, 64<<30), ""},
	} {
		_, err := Reference{Transport: "oci", Path: layertest.Layout(t, c.layer), Name: "image"}.Import(t.Context(), newMemory(), ImportOptions{})
		if c.want == "" {
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			continue
		}
		if err == nil || !errors.Is(err, errInvalid) || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
}
