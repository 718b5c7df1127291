package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"xtoo/internal/testutil"
)

// makeTree makes a directory with what archives find hard: sparse files, long names and targets, hard
// links, names with spaces and non-ASCII.
func makeTree(t *testing.T, short bool) string {
	t.Helper()
	dir := t.TempDir()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	at := func(name string) string { return filepath.Join(dir, name) }
	must(os.MkdirAll(at("usr/src/linux-5/include"), 0o755))
	must(os.MkdirAll(at("lib/modules/5.18"), 0o755))
	must(os.WriteFile(at("usr/src/linux-5/include/a.h"), bytes.Repeat([]byte("a"), 70000), 0o644))
	must(os.WriteFile(at("lib/modules/5.18/big.ko"), make([]byte, 5000), 0o600))
	must(os.WriteFile(at("usr/file with spaces and ünïcode"), []byte("x"), 0o4755))
	must(os.WriteFile(at("usr/empty"), nil, 0o444))
	must(os.Link(at("usr/empty"), at("usr/hardlink")))
	must(os.Symlink("/nonexistent/target", at("usr/dangling")))
	must(syscall.Mkfifo(at("usr/fifo"), 0o600))
	// Forty pieces: more than fit into one sparse header.
	f, err := os.Create(at("usr/sparse"))
	must(err)
	for i := range int64(40) {
		_, err := f.WriteAt(bytes.Repeat([]byte{byte('0' + i)}, 4096), i*100_000&^4095)
		must(err)
	}
	must(f.Truncate(5_000_000))
	must(f.Close())
	must(os.WriteFile(at("usr/hole"), nil, 0o644))
	must(os.Truncate(at("usr/hole"), 10<<20))
	if !short {
		long := "usr/" + strings.Repeat("n", 50) + "/" + strings.Repeat("p", 90)
		must(os.MkdirAll(at(long), 0o755))
		must(os.WriteFile(at(long+"/"+strings.Repeat("f", 30)), []byte("long"), 0o644))
	}
	return dir
}

// makeLonger adds what ustar cannot hold.
func makeLonger(t *testing.T, dir string) {
	t.Helper()
	long := "usr/" + strings.Repeat("l", 200) + "/" + strings.Repeat("m", 240)
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, long), 0o755),
		os.WriteFile(filepath.Join(dir, long, strings.Repeat("ü", 110)), []byte("longer"), 0o644),
		os.Link(filepath.Join(dir, long, strings.Repeat("ü", 110)), filepath.Join(dir, "usr/zz-long-link")),
		os.Symlink(strings.Repeat("t/", 300), filepath.Join(dir, "usr/long-target"))); err != nil {
		t.Fatal(err)
	}
}

// listing is what nextMember reads, in the manner of tar -tvf.
func listing(t *testing.T, data []byte) []string {
	t.Helper()
	w := newWindow(context.Background(), new(bytes.Buffer), &dribble{r: bytes.NewReader(data)}, 1<<40)
	var list []string
	for {
		m, err := nextMember(w)
		if errors.Is(err, errTrailer) {
			return list
		}
		if err != nil {
			t.Fatal(err)
		}
		w.keep()
		if err := w.pass(m.padded(), true); err != nil {
			t.Fatal(err)
		}
		if m.global {
			continue
		}
		h := m.hdr
		kind, arrow := "-", ""
		switch h.Typeflag {
		case tar.TypeDir:
			kind = "d"
		case tar.TypeSymlink:
			kind, arrow = "l", " -> "+h.Linkname
		case tar.TypeLink:
			kind, arrow = "h", " link to "+h.Linkname
		case tar.TypeFifo:
			kind = "p"
		case tar.TypeChar:
			kind = "c"
		case tar.TypeBlock:
			kind = "b"
		case tar.TypeGNUSparse, tar.TypeReg:
		}
		size := fmt.Sprint(h.Size)
		if kind == "c" || kind == "b" {
			size = fmt.Sprintf("%d,%d", h.Devmajor, h.Devminor)
		}
		list = append(list, fmt.Sprintf("%s %d/%d %s %s %s%s", kind, h.Uid, h.Gid, size, h.ModTime.UTC().Format("2006-01-02 15:04:05"), h.Name, arrow))
	}
}

// tarListing asks GNU tar for the same.
func tarListing(t *testing.T, path string) []string {
	t.Helper()
	out := testutil.Run(t, "tar", "--numeric-owner", "--full-time", "--quoting-style=literal", "-tvf", path)
	line := regexp.MustCompile(`^(.)\S+ +(\S+) +(\S+) (\S+ \d\d:\d\d:\d\d)(?:\.\d+)? +(.*)$`)
	var list []string
	for l := range strings.Lines(out) {
		m := line.FindStringSubmatch(strings.TrimSuffix(l, "\n"))
		if m == nil {
			t.Fatalf("tar prints %q", l)
		}
		list = append(list, strings.Join(m[1:], " "))
	}
	return list
}

func TestGNUTar(t *testing.T) {
	testutil.Need(t, "tar")
	for name, tc := range map[string]struct {
		args        string
		short, long bool
	}{
		"gnu":               {"--format=gnu", false, true},
		"oldgnu":            {"--format=oldgnu", false, true},
		"pax":               {"--format=pax", false, true},
		"ustar":             {"--format=ustar", false, false},
		"v7":                {"--format=v7 --exclude=fifo", true, false},
		"gnu sparse":        {"--format=gnu --sparse", false, true},
		"oldgnu sparse":     {"--format=oldgnu --sparse", false, true},
		"pax sparse 0.0":    {"--format=pax --sparse --sparse-version=0.0", false, true},
		"pax sparse 0.1":    {"--format=pax --sparse --sparse-version=0.1", false, true},
		"pax sparse 1.0":    {"--format=pax --sparse --sparse-version=1.0", false, true},
		"xattrs":            {"--xattrs --acls --selinux --sparse", false, true},
		"pax global":        {"--format=pax --pax-option=comment=hello,globexthdr.name=g,exthdr.name=%d/%f", false, true},
		"small blocks":      {"-b 1", false, true},
		"members by name":   {"--format=gnu --no-recursion ./usr usr/empty ./usr/sparse --sparse", false, true},
		"without times":     {"--format=pax --mtime=@0 --pax-option=delete=atime,delete=ctime", false, true},
		"numeric owners":    {"--format=gnu --owner=:4294967294 --group=:3000000", false, true},
		"large numeric pax": {"--format=pax --owner=:4294967294 --group=:3000000", false, true},
	} {
		t.Run(name, func(t *testing.T) {
			dir := makeTree(t, tc.short)
			if tc.long {
				makeLonger(t, dir)
			}
			path := tempFile(t)
			args := append([]string{"-cf", path, "-C", dir}, strings.Fields(tc.args)...)
			if !strings.Contains(tc.args, "./usr") {
				args = append(args, ".")
			}
			testutil.Run(t, "tar", args...)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got, sum, err := copyAll(data, CopyOptions{})
			if err != nil || !bytes.Equal(got, data) {
				t.Fatalf("%d bytes of %d, %v", len(got), len(data), err)
			}
			want := tarListing(t, path)
			list := listing(t, data)
			for i := range min(len(list), len(want)) {
				if list[i] != want[i] {
					t.Errorf("got\n%s\ntar lists\n%s", list[i], want[i])
				}
			}
			if len(list) != len(want) {
				t.Errorf("%d members, tar lists %d", len(list), len(want))
			}
			if sum.Entries != int64(len(want)) || sum.Entries == 0 {
				t.Errorf("%d entries, tar lists %d", sum.Entries, len(want))
			}
			compareExcludes(t, path, data)
		})
	}
}

// compareExcludes has GNU tar say what a tar holds without what its own --exclude matches.
func compareExcludes(t *testing.T, path string, data []byte) {
	t.Helper()
	for _, patterns := range [][]string{{"/usr/src/linux-*", "/lib/modules/*"}, {"/usr/*s*"}, {"/lib"}, {"/usr/sparse", "/usr/n*"}, {"/usr/[!s]*"}} {
		args := []string{"--anchored", "--no-wildcards-match-slash"}
		for _, p := range patterns {
			args = append(args, "--exclude=."+p, "--exclude="+p[1:])
		}
		want := testutil.Run(t, "tar", append(args, "-tf", path)...)
		opened := 0
		got, _, err := copyAll(data, CopyOptions{Exclude: patterns, Reopen: reopenBytes(data, &opened)})
		if err != nil {
			t.Errorf("%q: %v", patterns, err)
			continue
		}
		if list := (testutil.Tool{Stdin: bytes.NewReader(got)}).Run(t, "tar", "-tf", "-"); list != want {
			t.Errorf("%q leaves\n%s\ntar leaves\n%s", patterns, list, want)
		}
	}
}

// TestPromotedSparse excludes a sparse file that has another name: the contents stay.
func TestPromotedSparse(t *testing.T) {
	testutil.Need(t, "tar")
	dir := makeTree(t, true)
	if err := os.Link(filepath.Join(dir, "usr/sparse"), filepath.Join(dir, "zz")); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile(filepath.Join(dir, "zz"))
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range []string{"--format=gnu", "--format=pax --sparse-version=0.0", "--format=pax --sparse-version=0.1", "--format=pax --sparse-version=1.0"} {
		data := []byte(testutil.Run(t, "tar", append(strings.Fields(args), "--sparse", "-C", dir, "-cf", "-", "./usr", "./zz")...))
		opened := 0
		got, _, err := copyAll(data, CopyOptions{Exclude: []string{"/usr"}, Reopen: reopenBytes(data, &opened)})
		if err != nil {
			t.Errorf("%s: %v", args, err)
			continue
		}
		if file := (testutil.Tool{Stdin: bytes.NewReader(got)}).Run(t, "tar", "-xOf", "-", "./zz"); file != string(want) {
			t.Errorf("%s: %d bytes of %d", args, len(file), len(want))
		}
	}
}
