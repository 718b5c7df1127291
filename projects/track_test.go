package projects

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// TestTrack: what a tracked volume holds is an input; what only its owner's umask, or a clock, makes of it is none.
func TestTrack(t *testing.T) {
	const config = "from: {image: scratch, arch: amd64}\nscripts: [{name: one, run: x, volumes: [{source: dist, target: /dist, track: true}, {source: other, target: /o}]}, {name: two, run: x}]"
	dir := workdir(t, map[string]string{"a/" + configName: config, "a/dist/x": "x", "a/dist/sub/y": "y", "a/other/z": "z"})
	tree, err := loadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	read := func() map[string]string {
		t.Helper()
		out := map[string]string{}
		for _, n := range resolve(t, tree, Given{}).find("a").Nodes {
			in, err := n.Inputs(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			for _, c := range in.Components {
				out[n.Path+" "+c.Name] = string(c.Digest)
			}
		}
		return out
	}
	const name = "one volume /dist (what it holds)"
	at := func(p string) string { return filepath.Join(dir, "a", p) }
	last := read()
	for _, c := range []struct {
		what    string
		do      func() error
		changes bool
	}{
		{"time", func() error { return os.Chtimes(at("dist/x"), time.Unix(1, 0), time.Unix(1, 0)) }, false},
		{"mode", func() error { return os.Chmod(at("dist/x"), 0o600) }, false},
		{"executable", func() error { return os.Chmod(at("dist/x"), 0o700) }, true},
		{"content", func() error { return os.WriteFile(at("dist/sub/y"), []byte("Y"), 0o600) }, true},
		{"name", func() error { return os.Rename(at("dist/sub/y"), at("dist/sub/w")) }, true},
		{"link", func() error { return os.Symlink("x", at("dist/l")) }, true},
		{"target", func() error { return errors.Join(os.Remove(at("dist/l")), os.Symlink("nowhere", at("dist/l"))) }, true},
		{"fifo", func() error { return syscall.Mkfifo(at("dist/p"), 0o600) }, true},
		{"kind", func() error { return errors.Join(os.Remove(at("dist/p")), os.Mkdir(at("dist/p"), 0o700)) }, true},
		{"another volume", func() error { return os.WriteFile(at("other/z"), []byte("Z"), 0o600) }, false},
		{"a link in its place", func() error { return errors.Join(os.Rename(at("dist"), at("moved")), os.Symlink("moved", at("dist"))) }, false},
		{"a file in its place", func() error { return errors.Join(os.Remove(at("dist")), os.WriteFile(at("dist"), nil, 0o600)) }, true},
	} {
		if err := c.do(); err != nil {
			t.Fatal(err)
		}
		now := read()
		if now[name] == "" || (now[name] != last[name]) != c.changes {
			t.Errorf("%s: %s, before %s", c.what, now[name], last[name])
		}
		for other := range now {
			if other != name && now[other] != last[other] {
				t.Errorf("%s changes %s", c.what, other)
			}
			if strings.HasPrefix(other, "two volume /dist") {
				t.Errorf("%s has %s", c.what, other)
			}
		}
		last = now
	}
	if err := os.Remove(at("dist")); err != nil {
		t.Fatal(err)
	}
	n := resolve(t, tree, Given{}).find("a").Nodes[0]
	if _, err := n.Inputs(t.Context(), nil); err == nil || !strings.Contains(err.Error(), configName+":2:41: volume at /dist, which is tracked: ") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := new(tracker).digest(ctx, at("other")); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestTrackerRemembers: a file is read again when anything that the system says of it has changed, and only then.
func TestTrackerRemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	if err := os.WriteFile(path, []byte("one"), 0o600); err != nil {
		t.Fatal(err)
	}
	var tr tracker
	digest := func() string {
		t.Helper()
		d, err := tr.digest(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		return string(d)
	}
	first := digest()
	if len(tr.known) != 0 {
		t.Fatal("a file that has just changed is remembered")
	}
	// As if it had changed long ago, and held something else.
	var stamp unix.Stat_t
	if err := unix.Lstat(path, &stamp); err != nil {
		t.Fatal(err)
	}
	stamp.Atim = unix.Timespec{}
	tr.known = map[string]trackedFile{path: {stamp, 0o644, 3, "sha256:remembered"}}
	if digest() == first {
		t.Error("what is remembered is read")
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if digest() != first {
		t.Error("what has changed is not read")
	}
}
