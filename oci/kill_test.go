package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// exportVar makes the test binary export forever into the layout that it names: see TestKilledExport.
const exportVar = "XTOO_TEST_EXPORT_TO"

func TestMain(m *testing.M) {
	if dir := os.Getenv(exportVar); dir != "" {
		fmt.Fprintln(os.Stderr, exportForever(dir))
		os.Exit(1)
	}
	os.Exit(m.Run())
}

// exportForever replaces one reference again and again; now and then it begins with an empty layout.
func exportForever(dir string) error {
	src, err := OpenLayout(dir + ".src")
	if err != nil {
		return err
	}
	refs, err := src.Refs()
	if err != nil {
		return err
	}
	for i := 0; ; i++ {
		if i%7 == 0 { // at once: what is left of a layout that was half removed is none, and is refused
			old := dir + ".old"
			if err := errors.Join(os.RemoveAll(old), os.Rename(dir, old)); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		r := refs[i%len(refs)]
		r.Name = "x"
		delete(r.Descriptor.Annotations, v1.AnnotationRefName)
		if _, err := Export(context.Background(), src, dir, []Ref{r}, ExportOptions{}); err != nil {
			return err
		}
	}
}

// Killed at any instant, an export leaves what the next one needs no repair for.
func TestKilledExport(t *testing.T) {
	t.Parallel()
	m := newMemory()
	dir := filepath.Join(t.TempDir(), "l")
	shared := addLayer(t, m, v1.MediaTypeImageLayer, map[string]string{"shared": "x"})
	for i := range 3 {
		img := addImage(t, m, amd64, shared, addLayer(t, m, v1.MediaTypeImageLayer, map[string]string{"own": fmt.Sprint(i)}))
		mustExport(t, m, dir+".src", Ref{Name: fmt.Sprint("r", i), Descriptor: img.Descriptor})
	}
	last := Ref{Name: "x", Descriptor: simpleImage(t, m, "last").Descriptor}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	for i := range 25 {
		cmd := exec.CommandContext(t.Context(), self)
		cmd.Env = append(os.Environ(), exportVar+"="+dir)
		out, err := os.CreateTemp(t.TempDir(), "")
		if err != nil {
			t.Fatal(err)
		}
		cmd.Stderr = out
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for { // from the moment that it works
			if _, err := os.Stat(dir); err == nil {
				break
			}
			time.Sleep(time.Millisecond)
		}
		time.Sleep(time.Duration(i*i%29) * 700 * time.Microsecond)
		if err := cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err == nil || cmd.ProcessState.Exited() {
			said, rerr := os.ReadFile(out.Name())
			t.Fatalf("ended by itself: %v %v %s", err, rerr, said)
		}
		if err := out.Close(); err != nil {
			t.Fatal(err)
		}
		// What the index names is there, whole.
		if l, err := OpenLayout(dir); err == nil {
			if refs, err := l.Refs(); err != nil {
				t.Error(err)
			} else if len(refs) == 1 {
				if _, err := importText(t.Context(), "oci:"+dir+":x", newMemory(), ImportOptions{}); err != nil {
					t.Errorf("kill %d: %v", i, err)
				}
			}
		}
		mustExport(t, m, dir, last)
		if _, err := importText(t.Context(), "oci:"+dir+":x", newMemory(), ImportOptions{}); err != nil {
			t.Errorf("kill %d: %v", i, err)
		}
		if got, err := filepath.Glob(filepath.Join(dir, "blobs", "*", ".*")); err != nil || len(got) > 0 {
			t.Errorf("kill %d: left %v %v", i, got, err)
		}
		if err := os.RemoveAll(dir); i%2 == 0 && err != nil {
			t.Fatal(err)
		}
	}
}
