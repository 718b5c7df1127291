package tree

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// What is prepared by the owner is what PrepareUpper makes; where it might not be, nothing is.
func TestPrepareOwnUpper(t *testing.T) {
	if os.Geteuid() != 0 && !testutil.InNamespace(t) {
		return // PrepareUpper sets owners
	}
	layer := func(mode os.FileMode, sec int64, attributes ...string) string {
		dir := filepath.Join(t.TempDir(), "layer")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		for _, a := range attributes {
			if err := unix.Setxattr(dir, a, nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(dir, mode); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(dir, time.Unix(sec, 5), time.Unix(sec, 5)); err != nil {
			t.Fatal(err)
		}
		return dir
	}
	base, implied, other := layer(0o751, 1000), layer(0o755, 0, layers.XattrImplied), layer(0o755, 7, "user.other")
	for name, c := range map[string]struct {
		lowers []string
		done   bool
	}{
		"a base":        {[]string{base}, true},
		"none is known": {[]string{implied, implied}, true},
		"no layer":      {nil, true},
		"base below":    {[]string{implied, base, other}, true},
		"an attribute":  {[]string{implied, other, base}, false},
		"both marks":    {[]string{layer(0o755, 0, layers.XattrImplied, "user.other"), base}, false},
	} {
		upper, want := layer(0o700, 99), layer(0o700, 98)
		done, err := PrepareOwnUpper(upper, c.lowers)
		if err != nil || done != c.done {
			t.Errorf("%s: done %v, %v", name, done, err)
			continue
		}
		if !done {
			continue
		}
		if err := PrepareUpper(want, c.lowers); err != nil {
			t.Fatal(err)
		}
		var a, b unix.Stat_t
		if err := unix.Lstat(upper, &a); err != nil {
			t.Fatal(err)
		}
		if err := unix.Lstat(want, &b); err != nil {
			t.Fatal(err)
		}
		if a.Mode != b.Mode || a.Uid != b.Uid || a.Gid != b.Gid || a.Mtim != b.Mtim || bare(upper) != bare(want) {
			t.Errorf("%s: %+v, want %+v", name, a, b)
		}
	}
	if done, err := PrepareOwnUpper(layer(0o755, 0, "user.default"), []string{base}); done || err != nil {
		t.Errorf("an upper directory with an attribute: %v, %v", done, err)
	}
	if _, err := PrepareOwnUpper(layer(0o755, 0), []string{base + ".none"}); err == nil {
		t.Error("a layer that is not there is no error")
	}
	theirs := layer(0o755, 0)
	err := os.Chown(theirs, 1, 0)
	if errors.Is(err, unix.EINVAL) {
		return // there is no other id here
	}
	if err != nil {
		t.Fatal(err)
	}
	if done, err := PrepareOwnUpper(layer(0o755, 0), []string{theirs}); done || err != nil {
		t.Errorf("a root of another user: %v, %v", done, err)
	}
}
