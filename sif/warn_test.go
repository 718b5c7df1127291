package sif

import (
	"strings"
	"testing"
	"time"
)

// What of an image is not in the file is said, and nothing else.
func TestWarnings(t *testing.T) {
	low := tarOf(t, reg("environment", "own"), folder(".singularity.d", 0o755), reg("singularity", "x"),
		reg("f", "").WithTime(time.Unix(-5, 0)).WithPAX("SCHILY.acl.access", "u::rw-,u:who:r--,g::r--,m::r--,o::r--"))
	for name, c := range map[string]struct {
		tars [][]byte
		want []string
	}{
		"all":     {[][]byte{low}, []string{"1 extended attributes", "1 times", "at /.singularity.d, /environment, /singularity"}},
		"deleted": {[][]byte{tarOf(t, wh(".wh.environment"), wh(".wh..singularity.d"), wh(".wh.singularity"), wh(".wh.f")), low}, nil},
		"nothing": {[][]byte{tarOf(t, reg("x", "x"), reg("environment.d", ""))}, nil},
	} {
		var said []string
		writeSIF(t, Image{Layers: layersOf(c.tars...)}, Options{Warn: func(text string) { said = append(said, text) }})
		if len(said) != len(c.want) {
			t.Errorf("%s: %q", name, said)
			continue
		}
		for i, want := range c.want {
			if !strings.Contains(said[i], want) {
				t.Errorf("%s: %q, want %q", name, said[i], want)
			}
		}
	}
}
