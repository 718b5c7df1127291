package chroot

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestControlGroup: a group is made at the first place upwards that has the controllers and may be written to, and is gone
// afterwards. The directories only look like those of the kernel.
func TestControlGroup(t *testing.T) {
	root := t.TempDir()
	for dir, has := range map[string]string{"": "cpu memory pids", "user": "memory pids", "user/app": "pids", "user/app/scope": ""} {
		must(t, os.MkdirAll(filepath.Join(root, dir), 0o755))
		must(t, os.WriteFile(filepath.Join(root, dir, "cgroup.subtree_control"), []byte(has+"\n"), 0o600))
	}
	must(t, os.Mkdir(filepath.Join(root, "user", groupPrefix+"999999999-1"), 0o755)) // of a process that is not there
	own := []byte("9:name=systemd:/\n0::/user/app/scope\n")
	for limits, at := range map[[2]int64]string{{1 << 20, 0}: "user", {0, 5}: "user/app", {1 << 20, 5}: "user"} {
		// What the kernel would have put there stands in the way of rmdir here, so the limits are looked at as they are written.
		g, err := makeControlGroup(root, own, limits[0], limits[1])
		if !errors.Is(err, os.ErrNotExist) { // there is no cgroup.procs in it
			t.Fatalf("%v: %+v, %v", limits, g, err)
		}
		contains(t, err.Error(), filepath.Join(root, at, groupPrefix))
		made, err := filepath.Glob(filepath.Join(root, at, groupPrefix+"*"))
		must(t, err)
		if len(made) != 1 {
			t.Fatalf("%v: %v", limits, made)
		}
		data, err := os.ReadFile(filepath.Join(made[0], "pids.max"))
		if want := limits[1] > 0; want != (err == nil) || want && string(data) != "5" {
			t.Errorf("%v: pids.max %q, %v", limits, data, err)
		}
		must(t, os.WriteFile(filepath.Join(made[0], "memory.events"), []byte("low 0\noom_kill 2\n"), 0o600))
		if notes := (&controlGroup{dir: made[0]}).reached(); len(notes) != 1 || !strings.Contains(notes[0], "2 processes were killed") {
			t.Errorf("%q", notes)
		}
		must(t, os.RemoveAll(made[0]))
	}
	for _, own := range []string{"", "0::/../escape\n", "1:memory:/x\n"} {
		if g, err := makeControlGroup(root, []byte(own), 1, 1); !errors.Is(err, errNoControlGroup) {
			t.Errorf("%q: %+v, %v", own, g, err)
		}
	}
}
