package outputs

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest"
	"xtoo/internal/testutil"
	"xtoo/oci"
	"xtoo/projects"
)

func TestOCIArchive(t *testing.T) {
	enginetest.TestOutput(t, func(t *testing.T) enginetest.OutputCase {
		s, dir := newStore(t), filepath.Join(t.TempDir(), "deep", "archives")
		return enginetest.OutputCase{Output: &OCIArchive{Place{Store: s, Path: dir + "/"}}, Images: enginetest.Images(t, s, ""), Path: dir}
	})
}

func TestDockerArchive(t *testing.T) {
	enginetest.TestOutput(t, func(t *testing.T) enginetest.OutputCase {
		s, dir := newStore(t), filepath.Join(t.TempDir(), "deep", "archives")
		return enginetest.OutputCase{Output: &DockerArchive{Place{Store: s, Path: dir + "/"}}, Images: enginetest.Images(t, s, ""), Path: dir}
	})
}

// Each image is read back from its archive, of both kinds, with the config that it has.
func TestArchivesAreImages(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	images := enginetest.Images(t, s, "image: {labels: {a: b}}\n")
	at := Place{Store: s, Path: dir + "/"}
	for _, o := range []engine.Output{&OCIArchive{at}, &DockerArchive{at}} {
		testutil.Must(t, o.Write(t.Context(), images, func(engine.Written) {}))
	}
	for i, img := range images {
		for output, want := range map[projects.Output]struct {
			ref oci.Reference
			id  digest.Digest
		}{
			projects.OutputOCIArchive:    {oci.Reference{Transport: "oci-archive", Name: img.Project.Project.Tag}, img.Manifest.Digest},
			projects.OutputDockerArchive: {oci.Reference{Transport: "docker-archive"}, img.Config.Digest},
		} {
			want.ref.Path = filepath.Join(dir, img.Project.OutputName(output))
			id, err := want.ref.Resolve(t.Context(), oci.ImportOptions{TempDir: t.TempDir()})
			if err != nil || id != want.id {
				t.Errorf("%d: %s is %s, want %s: %v", i, want.ref, id, want.id, err)
			}
		}
	}
}

func TestArchivesRefused(t *testing.T) {
	s, dir := newStore(t), t.TempDir()
	images := projectsOf(enginetest.Images(t, s, ""))
	for _, o := range []engine.Output{
		&OCIArchive{Place{Path: filepath.Join(dir, "x.tar.gz")}}, &DockerArchive{Place{Path: filepath.Join(dir, "x.tgz")}},
	} {
		if err := o.Check(images[:1]); err == nil || !strings.Contains(err.Error(), "says that it is compressed") {
			t.Errorf("%T: %v", o, err)
		}
	}
	images[0].Project.Tag = strings.Repeat("a/", 200) + "b"
	if err := (&DockerArchive{Place{Path: filepath.Join(dir, "x.tar")}}).Check(images[:1]); err == nil || !strings.Contains(err.Error(), "docker has no name") {
		t.Errorf("no name: %v", err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left: %v, %v", left, err)
	}
}
