package layers

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"golang.org/x/sys/unix"
)

// FuzzUnpack unpacks anything. Nothing is written outside of the directory; what is unpacked can be captured,
// and what was captured unpacks to the same again. It needs to be root of a user namespace:
// unshare --user --map-root-user go test -fuzz FuzzUnpack ./layers.
func FuzzUnpack(f *testing.F) {
	f.Add(awkward(f))
	f.Add(lowerTree(f))
	f.Add(archive(f, member{name: "esc", typ: tar.TypeSymlink, link: "../victim"}, member{name: "esc", data: "x"}, member{name: "h", typ: tar.TypeLink, link: "esc"}))
	f.Add(archive(f, member{name: "d/.wh..wh..opq"}, member{name: "d/.wh.x"}, member{name: "d/x/"}, member{name: ".wh.d"}))
	f.Add(archive(f, member{name: "../victim", data: "x"}))
	f.Add(archive(f, member{name: "a", typ: tar.TypeSymlink, link: ".."}, member{name: "a/victim", data: "x"}))
	if os.Geteuid() != 0 {
		f.Skip("this needs to be root, if only of a user namespace")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 || sparse(data) {
			t.Skip("only slow")
		}
		outer := newDir(t, "outer")
		victim, dir, again := filepath.Join(outer, "victim"), filepath.Join(outer, "fs"), newDir(t, "again")
		if err := errors.Join(os.WriteFile(victim, []byte("unharmed"), 0o600), os.Mkdir(dir, 0o755)); err != nil {
			t.Fatal(err)
		}
		_, err := Unpack(t.Context(), bytes.NewReader(data), dir, UnpackOptions{})
		unharmed(t, outer, victim)
		if err != nil {
			return
		}
		var b bytes.Buffer
		if _, err := Capture(t.Context(), &b, dir, nil, CaptureOptions{}); err != nil {
			if errors.Is(err, unix.EINVAL) || errors.Is(err, ErrWhiteoutName) {
				return
			}
			t.Fatal(err)
		}
		if _, err := Unpack(t.Context(), &b, again, UnpackOptions{}); err != nil {
			t.Fatal(err)
		}
		sameTrees(t, "captured and unpacked again", dump(t, again, nil), dump(t, dir, nil))
	})
}

// sparse reports whether an archive may have members that are much larger than itself.
func sparse(data []byte) bool {
	if bytes.Contains(data, []byte("GNU.sparse")) {
		return true
	}
	r := tar.NewReader(bytes.NewReader(data))
	for {
		hdr, err := r.Next()
		if err != nil {
			return false
		}
		if hdr.Typeflag == tar.TypeGNUSparse {
			return true
		}
	}
}
