package chroot

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// TestNodeSharedMounts: where mounts are shared between namespaces, as systemd makes all of them, nothing that is mounted for
// a node appears outside, and the node's root can be changed.
func TestNodeSharedMounts(t *testing.T) {
	testutil.NeedRoot(t)
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, append(ordinary(), "lower/vol")...)
		must(t, unix.Mount(r.dir, r.dir, "", unix.MS_BIND, ""))
		t.Cleanup(func() { must(t, unix.Unmount(r.dir, unix.MNT_DETACH)) })
		must(t, unix.Mount("", r.dir, "", unix.MS_SHARED, ""))
		vol := filepath.Join(r.dir, "vol")
		must(t, os.MkdirAll(filepath.Join(vol, "nested"), 0o755))
		r.node.Spec.Mounts = []specs.Mount{
			{Destination: "/vol", Source: vol, Type: "bind", Options: []string{"rbind"}},
			{Destination: "/vol/nested", Type: "tmpfs"},
		}
		before, err := mountsBelow(r.dir)
		must(t, err)
		out, exit := r.run("write", "/vol/x", "seen", ";", "cat", "/vol/x")
		if exit.Code != 0 || out != "seen" {
			t.Errorf("exit code %d: %s", exit.Code, out)
		}
		after, err := mountsBelow(r.dir)
		must(t, err)
		if !slices.Equal(before, after) {
			t.Errorf("mounted outside: %q, was %q", after, before)
		}
	})
}
