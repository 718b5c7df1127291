package tree

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
	"xtoo/layers/inode"
)

// TestUnpackStage3 unpacks a stage3 in both tiers, compares every member with what it is read as from the
// layer directory, and makes the same changes in both: the layers are the same bytes.
func TestUnpackStage3(t *testing.T) {
	dir := os.Getenv("XTOO_TEST_SAME")
	if os.Getenv(tierVar) == "" {
		dir = t.TempDir()
		t.Setenv("XTOO_TEST_SAME", dir)
		t.Setenv("XTOO_TEST_STAGE", testutil.StageTar(t))
	}
	inTiers(t, func(t *testing.T, tier string) {
		f, err := os.Open(os.Getenv("XTOO_TEST_STAGE"))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		low := newDir(t, "low")
		res, err := Unpack(t.Context(), f, low, UnpackOptions{})
		if err != nil {
			t.Fatal(err)
		}
		lost := map[string]bool{}
		for _, n := range res.Lost {
			lost[n.Path] = true
			if !strings.HasPrefix(n.What, "owner ") {
				t.Errorf("lost: %v", n)
			}
		}
		if tier == "mapped" && len(lost) > 0 {
			t.Errorf("lost: %v", res.Lost)
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			t.Fatal(err)
		}
		compareMembers(t, f, low, lost)
		c := step(t, []string{low}, `
			for d in $(find var etc usr/local -xdev -type d); do echo new > $d/.new; mkdir $d/.newdir; touch $d/.newdir/x; done
			find etc -type f -perm -4 | sort | head -50 | while read f; do chmod go-r $f; done
			rm -rf usr/share/man var/git; cp -a etc etc2; rm etc2/dangling; ln etc/passwd etc/passwd2; mv var/lib/dpkg var/lib/dpkg2
			for f in dev/*; do touch $f; done; echo x >> etc/gentoo-release; rm -r etc/runlevels; mkdir etc/runlevels`)
		if err := os.WriteFile(filepath.Join(dir, tier+".tar"), c.tar, 0o666); err != nil {
			t.Fatal(err)
		}
	})
	if os.Getenv(tierVar) != "" || t.Failed() {
		return
	}
	a, err := os.ReadFile(filepath.Join(dir, "mapped.tar"))
	b, err2 := os.ReadFile(filepath.Join(dir, "single.tar"))
	if err := errors.Join(err, err2); err != nil {
		t.Skipf("not both tiers ran: %v", err)
	}
	if !bytes.Equal(a, b) {
		index := func(data []byte) map[string]string {
			m := map[string]string{}
			for _, line := range list(t, data) {
				m[strings.SplitN(line, " ", 3)[1]] = line
			}
			return m
		}
		testutil.SameTrees(t, "single and mapped", index(b), index(a))
		t.Error("the bytes differ")
	}
}

// compareMembers compares the members of an archive with the files that were made of them.
func compareMembers(t *testing.T, r io.Reader, dir string, lost map[string]bool) {
	t.Helper()
	n := 0
	for tr := tar.NewReader(r); ; n++ {
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		name := filepath.Join(dir, hdr.Name)
		parent, err := inode.OpenRoot(filepath.Dir(name))
		if err != nil {
			t.Fatal(err)
		}
		base := filepath.Base(name)
		st, err := inode.StatAt(parent, base)
		if err != nil {
			t.Fatal(err)
		}
		h, err := inode.Open(parent, base, &st)
		if err != nil {
			t.Fatal(err)
		}
		got, err := inode.ReadMeta(h, &st)
		if err != nil {
			t.Fatal(err)
		}
		member, err := layers.MemberOf(hdr)
		if err != nil {
			t.Fatal(err)
		}
		want := &inode.Meta{Member: member}
		if hdr.Typeflag == tar.TypeLink {
			target, err := os.Lstat(filepath.Join(dir, hdr.Linkname))
			this, err2 := os.Lstat(name)
			if err != nil || err2 != nil || !os.SameFile(target, this) {
				t.Errorf("%s is not %s: %v, %v", hdr.Name, hdr.Linkname, err, err2)
			}
		} else {
			if got.Mode&unix.S_IFMT == unix.S_IFLNK {
				want.Mode = got.Mode&^unix.S_IFMT | want.Mode&unix.S_IFMT // a link has no permissions
			}
			rel, err := filepath.Rel(dir, name)
			if err != nil {
				t.Fatal(err)
			}
			if lost[rel] {
				want.UID, want.GID = got.UID, got.GID
			}
			want.Disk.Stat.Uid, want.Disk.Stat.Gid = got.Disk.Stat.Uid, got.Disk.Stat.Gid // they count for links only
			if !inode.SameMeta(got, want) || !got.ModTime.Equal(want.ModTime) {
				t.Errorf("%s\n is   %s\n want %s", hdr.Name, describe(got), describe(want))
			}
			if got.IsRegular() {
				content, err := io.ReadAll(tr)
				if err != nil {
					t.Fatal(err)
				}
				if data, err := os.ReadFile(name); err != nil || !bytes.Equal(data, content) {
					t.Errorf("%s: the content differs, %v", hdr.Name, err)
				}
			}
		}
		h.Close()
		inode.CloseFD(parent)
	}
	if n < 1000 {
		t.Errorf("only %d members", n)
	}
}

func describe(m *inode.Meta) string {
	return fmt.Sprintf("%#o %d:%d %d:%d %d %v %q %q", m.Mode, m.UID, m.GID, m.Major, m.Minor, m.Size, m.ModTime, m.Target, m.Xattrs)
}
