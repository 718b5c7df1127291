package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

// FuzzUnpack unpacks anything. Nothing is written outside of the directory; what is unpacked can be captured,
// and what was captured unpacks to the same again. It needs to be root of a user namespace:
// unshare --user --map-root-user go test -fuzz FuzzUnpack -fuzzminimizetime 1s ./layers
func FuzzUnpack(f *testing.F) {
	f.Add(lowerTree(f))
	f.Add(testutil.Tar(f, testutil.Dir("d/").WithMode(0o2775).WithOwner(0, 8), testutil.Device("d/dev", tar.TypeChar, 5, 1), testutil.Device("d/fifo", tar.TypeFifo, 0, 0),
		testutil.File("d/x", "").WithOwner(5, 0).WithXattr("user.a", "1").WithXattr("trusted.b", "2").
			WithPAX("SCHILY.acl.access", "u::rw-,u:7:rw-,g::r--,m::rw-,o::r--")))
	f.Add(testutil.Tar(f, testutil.Symlink("esc", "../victim"), testutil.File("esc", "x"), testutil.Link("h", "esc")))
	f.Add(testutil.Tar(f, testutil.File("d/.wh..wh..opq", ""), testutil.File("d/.wh.x", ""), testutil.Dir("d/x/"), testutil.File(".wh.d", "")))
	f.Add(testutil.Tar(f, testutil.File("../victim", "x")))
	f.Add(testutil.Tar(f, testutil.Symlink("a", ".."), testutil.File("a/victim", "x")))
	if os.Geteuid() != 0 {
		f.Skip("this needs to be root, if only of a user namespace")
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1<<20 || sparse(data) {
			t.Skip("only slow")
		}
		checkUnpack(t, data)
	})
}

// FuzzUnpackMembers makes an archive of anything: its bytes choose names, types and links that have to do with
// each other. See [FuzzUnpack] for how to run it.
func FuzzUnpackMembers(f *testing.F) {
	f.Add([]byte("0123456789abcdefghijklmnopqrstuvwxyz"))
	if os.Geteuid() != 0 {
		f.Skip("this needs to be root, if only of a user namespace")
	}
	f.Fuzz(func(t *testing.T, choices []byte) {
		checkUnpack(t, chosen(t, choices))
	})
}

// TestUnpackRandom is FuzzUnpackMembers with a few hundred archives that are always the same.
func TestUnpackRandom(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		random, rounds := rand.New(rand.NewPCG(1, 2)), 100
		if testutil.IsLong() {
			rounds = 300
		}
		for range rounds {
			choices := make([]byte, 4*(1+random.IntN(12)))
			for i := range choices {
				choices[i] = byte(random.UintN(256))
			}
			checkUnpack(t, chosen(t, choices))
			if t.Failed() {
				t.Fatalf("%v", list(t, chosen(t, choices)))
			}
		}
	})
}

// chosen makes an archive, four bytes a member.
func chosen(t testing.TB, choices []byte) []byte {
	names := []string{"a", "b", "a/b", "b/a", "a/b/c", "a/b/c/d", "b/b", "./a/", ".wh.a", ".wh.b", "a/.wh.b", "a/b/.wh.c", "a/.wh..wh..opq", "./",
		".wh..wh..opq", "a/.wh..wh.x", "c/d/e", "../victim", "/victim", "a/../victim", ".wh..", "a/.wh..."}
	links := []string{"a", "b", "a/b", "..", "../victim", "/", "b/a", "a/b/c", "../../outer/victim", "c"}
	types := []byte{0, tar.TypeReg, tar.TypeDir, tar.TypeDir, tar.TypeSymlink, tar.TypeLink, tar.TypeFifo, tar.TypeChar, tar.TypeBlock}
	xattrs := []map[string]string{nil, nil, nil, {"SCHILY.xattr.user.a": "1"}, {"SCHILY.xattr.trusted.a": "1", "SCHILY.xattr.user.overlay.opaque": "y"},
		{"SCHILY.acl.default": "u::rwx,g::rwx,g:9:r-x,m::rwx,o::---"}}
	var members []testutil.Member
	for len(choices) >= 4 && len(members) < 40 {
		c := choices[:4]
		choices = choices[4:]
		m := testutil.Member{Header: tar.Header{Name: names[int(c[0])%len(names)], Typeflag: types[int(c[1])%len(types)], Linkname: links[int(c[2])%len(links)],
			Mode: int64(c[3]) << 4, Gid: int(c[3]) % 3, Uid: int(c[1]) / 200, PAXRecords: xattrs[int(c[2])/len(links)%len(xattrs)]}}
		if m.Typeflag != 0 && m.Typeflag != tar.TypeDir {
			m.Name = strings.TrimSuffix(m.Name, "/") // the writer wants it so
		}
		if m.Typeflag != tar.TypeSymlink && m.Typeflag != tar.TypeLink {
			m.Linkname = ""
		}
		if m.Typeflag == tar.TypeReg {
			m.Data = m.Linkname + "x"
		}
		m.Devmajor = int64(c[3] % 3)
		members = append(members, m)
	}
	return testutil.Tar(t, members...)
}

// checkUnpack checks what holds for every archive.
func checkUnpack(t *testing.T, data []byte) {
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
		t.Fatal(err)
	}
	first := bytes.Clone(b.Bytes())
	if _, err := Unpack(t.Context(), &b, again, UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	testutil.SameTrees(t, "captured and unpacked again", testutil.Dump(t, again), testutil.Dump(t, dir))
	b.Reset()
	if _, err := Capture(t.Context(), &b, again, nil, CaptureOptions{}); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(b.Bytes(), first) {
		t.Error("captured again it gives other bytes")
	}
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
