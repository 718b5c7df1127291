package chroot

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/chroot/host"
)

func TestDiagnose(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		dir := tempDir(t, h)
		found := Diagnose(context.Background(), h, filepath.Join(dir, "not/yet/there"), nil)
		names := map[string]host.Finding{}
		for _, f := range found {
			t.Logf("%-18s %-4s %s [%s]", f.Name, f.State, f.Detail, f.Hint)
			names[f.Name] = f
			if f.Name == "" || f.Detail == "" || (f.State == host.StateOK) != (f.Hint == "") {
				t.Errorf("%+v", f)
			}
		}
		for _, must := range []string{"kernel", "user namespaces", "ids", "process namespaces", "owners", "overlayfs", "/proc", "/dev", "network namespace", "control group", "store", "free space"} {
			if f, ok := names[must]; !ok || f.State == host.StateBad {
				t.Errorf("%s: %+v", must, f)
			}
		}
		if entries, err := os.ReadDir(dir); err != nil || len(entries) > 0 {
			t.Errorf("left in the store: %v, %v", entries, err)
		}
	})
}

func TestDiagnoseBad(t *testing.T) {
	one := *single(t).Host
	// Ids that are not ours: the kernel refuses the map, whoever we are (root may map all but the last id, which is none).
	one.UIDs = []specs.LinuxIDMapping{{ContainerID: 0, HostID: 1<<32 - 1, Size: 1}}
	h := newHost(&one)
	t.Cleanup(h.Close)
	found := Diagnose(context.Background(), h, t.TempDir(), nil)
	bad := 0
	for _, f := range found {
		if f.State == host.StateBad {
			bad++
			if f.Hint == "" {
				t.Errorf("no hint: %+v", f)
			}
		}
	}
	if bad == 0 || found[1].Name != "user namespaces" || found[1].State != host.StateBad {
		t.Errorf("%+v", found)
	}
	file := filepath.Join(t.TempDir(), "file")
	must(t, os.WriteFile(file, nil, 0o644))
	found = Diagnose(context.Background(), single(t), filepath.Join(file, "store"), nil)
	if last := found[len(found)-1]; last.State != host.StateBad {
		t.Errorf("a store in a file: %+v", found)
	}
}
