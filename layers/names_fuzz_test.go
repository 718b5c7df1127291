package layers

import (
	"errors"
	"path"
	"strings"
	"testing"
)

// FuzzName: what is taken is a clean path below the root, and is taken again as it is.
func FuzzName(f *testing.F) {
	for _, name := range []string{"", ".", "/", "./a//b/", "/a/./b", "a/..", "..a", ".wh.a", "a/.wh..wh..opq", ".wh..wh.x/y", ".wh.", "a/.wh..", "a\x00b", strings.Repeat("n", 256)} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		clean, kind, err := parseName(name)
		if err != nil {
			if !errors.Is(err, ErrUnsafe) && !errors.Is(err, ErrMember) {
				t.Fatal(err)
			}
			return
		}
		if want := strings.TrimPrefix(path.Clean("/"+clean), "/"); clean != want {
			t.Fatalf("%q is %q, clean is %q", name, clean, want)
		}
		for part := range strings.SplitSeq(clean, "/") {
			if part == ".." || len(part) > MaxName+len(WhiteoutPrefix) || strings.IndexByte(part, 0) >= 0 {
				t.Fatalf("%q is %q", name, clean)
			}
		}
		if kind == Entry {
			if want := strings.TrimPrefix(path.Clean("/"+name), "/"); clean != want {
				t.Fatalf("%q is %q, and not %q", name, clean, want)
			}
			if again, kind, err := parseName(clean); err != nil || again != clean || kind != Entry {
				t.Fatalf("%q again: %q, %v, %v", clean, again, kind, err)
			}
			if target, err := cleanTarget(name); clean != "" && (err != nil || target != clean) {
				t.Fatalf("%q as a target: %q, %v", name, target, err)
			}
		}
	})
}
