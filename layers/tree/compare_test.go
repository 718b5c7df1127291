package tree

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// Whatever is done to a layer directory, a comparison with its layer shows it.
func TestCompare(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		data := testutil.Tar(t, testutil.Dir("./"), testutil.Dir("d/"), testutil.File("d/f", "content").WithXattr("user.a", "1"), testutil.Link("d/g", "d/f"),
			testutil.File("d/h", "content"), testutil.Symlink("d/s", "f"), testutil.Device("d/null", '3', 1, 3), testutil.File("d/.wh.gone", ""))
		good, _ := unpackTo(t, "good", data)
		at := func(name string) string { return filepath.Join(good, name) }
		compare := func() string {
			t.Helper()
			fresh, _ := unpackTo(t, "fresh", data)
			diff, err := Compare(t.Context(), good, fresh)
			if err != nil {
				t.Fatal(err)
			}
			return diff
		}
		if diff := compare(); diff != "" {
			t.Fatalf("what nobody touched: %s", diff)
		}
		for what, c := range map[string]struct {
			do   func() error
			want string
		}{
			"mode":    {func() error { return os.Chmod(at("d/f"), 0o600) }, "./d/f: mode or type"},
			"content": {func() error { return os.WriteFile(at("d/h"), []byte("CONTENT"), 0o600) }, "./d/h: "},
			"time":    {func() error { return os.Chtimes(at("d"), time.Unix(9, 0), time.Unix(9, 0)) }, "./d: time"},
			"xattr":   {func() error { return unix.Removexattr(at("d/f"), "user.a") }, "./d/f: xattrs"},
			"record":  {func() error { return unix.Setxattr(at("d"), layers.XattrOwner, []byte("\x08\x05\x10\x05"), 0) }, "./d: owner"},
			"opaque":  {func() error { return unix.Setxattr(at("d"), layers.XattrOpaque, []byte("y"), 0) }, "./d: xattrs"},
			"names":   {func() error { return os.Remove(at("d/gone")) }, "./d: "},
			"root":    {func() error { return os.WriteFile(at("new"), nil, 0o600) }, "."},
			"link": {func() error {
				if err := os.Remove(at("d/g")); err != nil {
					return err
				}
				return os.WriteFile(at("d/g"), []byte("content"), 0o644)
			}, "./d"},
		} {
			good, _ = unpackTo(t, "good", data)
			if err := c.do(); err != nil {
				t.Fatal(err)
			}
			if diff := compare(); !strings.HasPrefix(diff, c.want) || diff == "" {
				t.Errorf("%s: %q", what, diff)
			}
		}
	})
}
