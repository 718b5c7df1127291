package chroot

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// TestNodeOwnsMountPoint: a directory above a volume that a script has made its own is the script's, not a mount point.
func TestNodeOwnsMountPoint(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		for name, verbs := range map[string][]string{
			"mode": {"chmod", "/home/me", "0700"}, "file": {"write", "/home/me/x", "y"}, "nothing": {"print"},
		} {
			r := newRoot(t, h, ordinary()...)
			r.node.Spec.Mounts = []specs.Mount{{Destination: "/home/me/.cache", Source: tempDir(t, h), Type: "bind"}}
			r.run(verbs...)
			if r.upperHas("home/me") != (name != "nothing") || r.upperHas("home/me/.cache") || name == "nothing" && r.upperHas("home") {
				t.Errorf("%s: the upper directory has %v", name, tree(t, r.node.Upper))
			}
			if info, err := os.Lstat(filepath.Join(r.node.Upper, "home/me")); name == "mode" && (err != nil || info.Mode().Perm() != 0o700) {
				t.Errorf("%v, %v", info, err)
			}
		}
	})
}

// TestNodeNestedVolumes: what is made in a volume for one below it is not left on the host, and what was there stays.
func TestNodeNestedVolumes(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, append(ordinary(), "outer/there", "inner")...)
		outer := filepath.Join(r.dir, "outer")
		old := time.Date(2001, 2, 3, 4, 5, 6, 0, time.UTC)
		must(t, os.Chtimes(outer, old, old))
		for _, order := range [][]string{{"/cache", "/cache/a/b", "/cache/there"}, {"/cache/there", "/cache/a/b", "/cache"}} {
			r.node.Spec.Mounts = nil
			for _, at := range order {
				source := filepath.Join(r.dir, "inner")
				if at == "/cache" {
					source = outer
				}
				r.node.Spec.Mounts = append(r.node.Spec.Mounts, specs.Mount{Destination: at, Source: source, Type: "bind"})
			}
			if _, exit := r.run("ls", "/cache"); exit.Code != 0 {
				t.Errorf("%+v", exit)
			}
			if order[0] == "/cache" {
				endBadly(t, r, outer)
			}
			var names []string
			for name := range tree(t, outer) {
				names = append(names, name)
			}
			info, err := os.Stat(outer)
			must(t, err)
			if !slices.Equal(names, []string{"there"}) || !info.ModTime().Equal(old) {
				t.Errorf("%v: the volume has %v, of %v", order, names, info.ModTime())
			}
			if r.upperHas("cache") {
				t.Errorf("%v: the upper directory has %v", order, tree(t, r.node.Upper))
			}
		}
	})
}

// TestNodeResolver: the host's names reach no script; where the files are the root's own a script can write and replace them.
func TestNodeResolver(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, ordinary()...)
		out, _ := r.run("cat", "/etc/hosts", ";", "write", "/etc/hosts", "mine")
		contains(t, out, "127.0.0.1 localhost localhost\n::1 localhost\nwrite: error: ")
		r.node.Network = NetworkNone
		r.run("cat", "/etc/hosts")
		if r.upperHas("etc/hosts") || r.upperHas("etc/resolv.conf") {
			t.Errorf("nothing was changed: %v", tree(t, r.node.Upper))
		}
		for _, own := range []bool{false, true} {
			r := newRoot(t, h, ordinary()...)
			r.node.OwnResolver = own
			if !own {
				r.node.Network = NetworkNone
			}
			must(t, os.WriteFile(filepath.Join(r.Lower, "etc/resolv.conf"), []byte("of the image"), 0o644))
			out, _ = r.run("cat", "/etc/resolv.conf", ";", "write", "/etc/hosts.tmp", "mine", ";", "rename", "/etc/hosts.tmp", "/etc/hosts", ";",
				"rm", "/etc/resolv.conf", ";", "symlink", "../run/resolv.conf", "/etc/resolv.conf")
			if out != "of the image" {
				t.Errorf("own %v: %s", own, out)
			}
			data, err := os.ReadFile(filepath.Join(r.node.Upper, "etc/hosts"))
			must(t, err)
			link, err := os.Readlink(filepath.Join(r.node.Upper, "etc/resolv.conf"))
			must(t, err)
			if string(data) != "mine" || link != "../run/resolv.conf" {
				t.Errorf("own %v: hosts %q, resolv.conf -> %s", own, data, link)
			}
		}
		out, _ = r.run("write", "/etc/hosts", "127.0.0.1 localhost localhost\n::1 localhost\n")
		if !r.upperHas("etc/hosts") {
			t.Errorf("the same content, written by the script, is not its own: %s", out)
		}
	})
}

// TestNodeLost: what a script leaves in /tmp, where the image has something, is said.
func TestNodeLost(t *testing.T) {
	eachTier(t, func(t *testing.T, h *Host) {
		r := newRoot(t, h, ordinary()...)
		r.node.Tmpfs.Tmp = "1m"
		out, exit := r.run("write", "/tmp/for-b", "x", ";", "write", "/run/x", "y", ";", "grep", "/proc/self/mounts", " /tmp ")
		if len(exit.Notes) > 0 {
			t.Errorf("the image has nothing there: %q", exit.Notes)
		}
		contains(t, out, "size=1024k")
		must(t, os.WriteFile(filepath.Join(r.Lower, "tmp/left"), nil, 0o644))
		must(t, os.WriteFile(filepath.Join(r.Lower, "run/.keep"), nil, 0o644))
		if _, exit = r.run("print"); len(exit.Notes) > 0 {
			t.Errorf("the script has left nothing: %q", exit.Notes)
		}
		if _, exit = r.run("write", "/tmp/for-b", "x", ";", "write", "/run/x", "y"); len(exit.Notes) != 1 || !strings.Contains(exit.Notes[0], "/tmp (for-b)") {
			t.Errorf("%q", exit.Notes)
		}
		r.node.Tmpfs.Run = "x"
		if _, _, err := r.try("print"); err == nil {
			t.Error("a size of x was taken")
		}
	})
}

// endBadly has a node fail: at its process, in the middle of its mounts, by the end of its context.
func endBadly(t *testing.T, r *testRoot, volume string) {
	t.Helper()
	n := r.freshWork()
	n.Spec.Process.Args = []string{"/nothing"}
	if _, err := r.h.Run(t.Context(), n); err == nil {
		t.Error("no error")
	}
	n = r.freshWork()
	spec := *n.Spec
	spec.Mounts = append(slices.Clone(spec.Mounts), specs.Mount{Destination: "/bin/guest", Source: volume, Type: "bind"})
	n.Spec = &spec
	if _, err := r.h.Run(t.Context(), n); err == nil {
		t.Error("no error")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	n = r.freshWork()
	n.Spec.Process.Args = []string{"/bin/guest", "sleep", "1h"}
	if _, err := r.h.Run(ctx, n); err == nil {
		t.Error("no error")
	}
	cancel()
}
