package outputs

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/internal/testutil"
)

// A disk that is full half way through a file: one error that says what to do, and nothing of the file.
func TestDiskFull(t *testing.T) {
	if !testutil.InNamespace(t) {
		return
	}
	s, dir := newStore(t), t.TempDir()
	images := enginetest.Images(t, s, "")
	testutil.Must(t, unix.Mount("tmpfs", dir, "tmpfs", 0, "size=4k"))
	defer func() { testutil.Must(t, unix.Unmount(dir, 0)) }()
	at := func(name string) Place { return Place{Store: s, Path: filepath.Join(dir, name)} }
	for _, o := range []engine.Output{
		&SIF{Place: at("x.sif"), Jobs: 1}, &Stage4{Place: at("x.tar"), Jobs: 1}, &OCIArchive{at("x.oci.tar")}, &DockerArchive{at("x.docker.tar")},
	} {
		err := o.Write(t.Context(), images[2:3], func(engine.Written) { t.Errorf("%T: written", o) })
		var hinted interface{ Hint() string }
		if !errors.Is(err, unix.ENOSPC) || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "make room") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%T: %v", o, err)
		}
		if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
			t.Errorf("%T: left: %v, %v", o, left, err)
		}
	}
}
