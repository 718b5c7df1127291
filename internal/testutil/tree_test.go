package testutil_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
)

// small makes a tree of one file with two names, a link and a fifo.
func small(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	for _, err := range []error{
		os.Mkdir(at("d"), 0o700), os.WriteFile(at("d/file"), []byte("text"), 0o640), os.Link(at("d/file"), at("d/name")),
		os.Symlink("file", at("d/link")), unix.Mkfifo(at("d/fifo"), 0o600), unix.Chmod(at("d/file"), 0o4711),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	err := filepath.WalkDir(dir, func(p string, _ os.DirEntry, err error) error {
		if err == nil {
			err = unix.UtimesNanoAt(unix.AT_FDCWD, p, []unix.Timespec{{Sec: 7}, {Sec: 7, Nsec: 5}}, unix.AT_SYMLINK_NOFOLLOW)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestDump(t *testing.T) {
	dir := small(t)
	me := fmt.Sprintf("%d:%d 7.000000005", os.Geteuid(), os.Getegid())
	want := map[string]string{
		"d":      "040700 " + me,
		"d/file": "0104711 " + me + " 4 982d9e3e 2 links, first d/file",
		"d/name": "0104711 " + me + " 4 982d9e3e 2 links, first d/file",
		"d/link": "0120777 " + me + " -> file",
		"d/fifo": "010600 " + me,
	}
	got := testutil.View{Xattr: func(string) bool { return false }}.Dump(t, dir)
	if !strings.HasPrefix(got["."], "040") {
		t.Errorf("the root is %q", got["."])
	}
	delete(got, ".")
	testutil.SameTrees(t, "dump", got, want)
	some := testutil.View{Time: testutil.Seconds, Skip: func(path string) bool { return path != "d/fifo" }}.Dump(t, dir)
	testutil.SameTrees(t, "view", some, map[string]string{"d/fifo": "010600 " + strings.TrimSuffix(me, ".000000005")})
	if paths := testutil.Paths(t, dir); !slices.Equal(paths, []string{"d", "d/fifo", "d/file", "d/link", "d/name"}) {
		t.Errorf("paths: %v", paths)
	}
}

func TestDumpXattrs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"user.b", "user.a", "user.c"} {
		if err := unix.Setxattr(path, name, []byte(name+"\x00"), 0); err != nil {
			testutil.SkipOrFail(t, "no xattrs in %s: %v", path, err)
		}
	}
	got := testutil.View{Xattr: func(name string) bool { return name != "user.c" }}.Dump(t, path)["."]
	if !strings.HasSuffix(got, ` user.a="user.a\x00" user.b="user.b\x00"`) {
		t.Errorf("the file is %s", got)
	}
}

func TestDumpWhiteout(t *testing.T) {
	dir := t.TempDir()
	if err := unix.Mknod(filepath.Join(dir, "gone"), unix.S_IFCHR, 0); err != nil {
		testutil.NeedRoot(t)
		t.Fatal(err)
	}
	if got := testutil.Dump(t, dir)["gone"]; got != testutil.Whiteout {
		t.Errorf("it is %q", got)
	}
}

// record is a test that remembers what would have failed it. Fatalf ends its goroutine, as in a real one.
type record struct {
	testing.TB
	said []string
}

func (r *record) Errorf(format string, args ...any) {
	r.said = append(r.said, fmt.Sprintf(format, args...))
}
func (r *record) Helper() {}
func (r *record) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	panic(r)
}

// failing does something that must end a test, and returns with what.
func failing(t *testing.T, do func(t testing.TB)) string {
	t.Helper()
	r := &record{TB: t}
	func() {
		defer func() {
			if got := recover(); got != r {
				t.Errorf("the test did not end: %v", got)
			}
		}()
		do(r)
	}()
	return strings.Join(r.said, "\n")
}

func TestSameTrees(t *testing.T) {
	r := &record{TB: t}
	testutil.SameTrees(r, "these", map[string]string{"a": "1", "b": "2", "new": ""}, map[string]string{"a": "1", "b": "3", "c": "4"})
	if said := strings.Join(r.said, "\n"); len(r.said) != 2 || !strings.Contains(said, "these: b\n") || !strings.Contains(said, "these: c\n") {
		t.Errorf("it says %s", said)
	}
}
