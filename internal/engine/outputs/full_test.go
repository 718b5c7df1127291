package outputs

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
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
	refused := func(o engine.Output) {
		before := testutil.Paths(t, dir)
		err := o.Write(t.Context(), images[2:3], func(engine.Written) { t.Errorf("%T: written", o) })
		var hinted interface{ Hint() string }
		if !errors.Is(err, unix.ENOSPC) || !errors.As(err, &hinted) || !strings.Contains(hinted.Hint(), "make room") || strings.Contains(err.Error(), "\n") {
			t.Errorf("%T: %v", o, err)
		}
		if left := testutil.Paths(t, dir); !slices.Equal(left, before) {
			t.Errorf("%T: left: %q", o, left)
		}
	}
	refused(&SIF{Place: at("x.sif"), Jobs: 1})
	refused(&Stage4{Place: at("x.tar"), Jobs: 1})
	refused(&OCIArchive{at("x.oci.tar")})
	refused(&DockerArchive{at("x.docker.tar")})
	refused(&Rootfs{Place: at("root")})
	testutil.Must(t, os.WriteFile(filepath.Join(dir, "ballast"), []byte("x"), 0o600))
	refused(&Squashfs{Place: at("x.squashfs"), Jobs: 1}) // has a page
}
