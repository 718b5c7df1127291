package tree

import (
	"archive/tar"
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

const (
	dayZero  = "2022-06-16T00:00:00Z"
	dayEpoch = "2022-06-18T00:00:00.123456789Z"
)

func lowerTree(t testing.TB) []byte {
	return testutil.Tar(t,
		testutil.Dir("./").WithMode(0o755),
		testutil.File("a", "a"),
		testutil.Dir("d/"),
		testutil.File("d/one", "1"),
		testutil.File("d/two", "2"),
		testutil.Dir("d/sub/"),
		testutil.File("d/sub/deep", "deep"),
		testutil.File("d/sub/two", "2"),
		testutil.File("file", "file").WithMode(0o600),
		testutil.Symlink("l", "file").WithMode(0o777),
		testutil.File("h1", "hard"),
		testutil.Link("h2", "h1"),
		testutil.File("cap", "c").WithMode(0o755).WithXattr("security.capability", capNetRaw),
		testutil.File("x", "x").WithXattr("user.a", "1"),
	)
}

func TestCapture(t *testing.T) {
	tests := map[string]struct {
		script string
		want   []string
	}{
		"nothing": {":", nil},
		"back again": {`
			chmod 0644 file; chmod 0600 file
			touch -d @1655337600 a; chmod 0600 d/one; chmod 0644 d/one
			touch d/new; rm d/new; touch -d @1655337600 d
			touch new; rm new; touch -d @1655337600 .
			printf x > x
			touch -d @1655337600 x
			touch -h -d @1655337600 l`, nil},
		"time": {"touch d/one", []string{
			"5 d/ 755 0:0 " + dayZero,
			`0 d/one 644 0:0 ` + dayEpoch + ` "1"`}},
		"early time": {"touch -d @1000 d/one; touch -h -d @1000.25 l", []string{
			"5 d/ 755 0:0 " + dayZero,
			`0 d/one 644 0:0 1970-01-01T00:16:40Z "1"`,
			`2 l 777 0:0 1970-01-01T00:16:40.25Z -> file`}},
		"mode": {"chmod 4711 file", []string{`0 file 4711 0:0 ` + dayZero + ` "file"`}},
		"mode of a directory": {"chmod 1777 d/sub", []string{
			"5 d/ 755 0:0 " + dayZero,
			"5 d/sub/ 1777 0:0 " + dayZero}},
		"directories of no use": {"mkdir e e/f; echo x > e/f/x; chmod 0 e/f; chmod 2311 e; chmod 1555 d; touch -d @1655337600 e/f e .", []string{
			"5 d/ 1555 0:0 " + dayZero,
			"5 e/ 2311 0:0 " + dayZero,
			"5 e/f/ 0 0:0 " + dayZero,
			"0 e/f/x 644 0:0 " + dayEpoch + ` "x\n"`}},
		"mode of the root": {"chmod 0750 .", []string{"5 ./ 750 0:0 " + dayZero}},
		"new in the root": {"echo n > n", []string{
			"5 ./ 755 0:0 " + dayEpoch,
			"0 n 644 0:0 " + dayEpoch + ` "n\n"`}},
		"content of one size": {"printf y > d/one; touch -d @1655337600 d/one", []string{
			"5 d/ 755 0:0 " + dayZero,
			`0 d/one 644 0:0 ` + dayZero + ` "y"`}},
		"deleted": {"rm d/one file", []string{
			"5 ./ 755 0:0 " + dayEpoch,
			"0 .wh.file 0 0:0 1970-01-01T00:00:00Z",
			"5 d/ 755 0:0 " + dayEpoch,
			"0 d/.wh.one 0 0:0 1970-01-01T00:00:00Z"}},
		"deleted and made again": {"rm d/one; printf 1 > d/one; touch -d @1655337600 d d/one", nil},
		"directory deleted":      {"rm -r d; touch -d @1655337600 .", []string{"0 .wh.d 0 0:0 1970-01-01T00:00:00Z"}},
		"directory made again": {"rm -r d; mkdir -p d/sub; printf 2 > d/sub/two; printf new > d/new; touch -d @1655337600 d/sub/two d/sub d .", []string{
			"5 d/ 755 0:0 " + dayZero,
			"0 d/.wh.one 0 0:0 1970-01-01T00:00:00Z",
			"0 d/.wh.two 0 0:0 1970-01-01T00:00:00Z",
			`0 d/new 644 0:0 ` + dayEpoch + ` "new"`,
			"5 d/sub/ 755 0:0 " + dayZero,
			"0 d/sub/.wh.deep 0 0:0 1970-01-01T00:00:00Z"}},
		"file becomes directory": {"rm file; mkdir file; echo in > file/in; touch -d @1655337600 file/in file .", []string{
			"5 file/ 755 0:0 " + dayZero,
			"0 file/in 644 0:0 " + dayZero + ` "in\n"`}},
		"directory becomes file": {"rm -r d; echo f > d; touch -d @1655337600 .", []string{"0 d 644 0:0 " + dayEpoch + ` "f\n"`}},
		"directory becomes link": {"rm -r d; ln -s a d; touch -d @1655337600 .; touch -h -d @1655337600 d", []string{"2 d 777 0:0 " + dayZero + " -> a"}},
		"directory within one made again": {"rm -r d; mkdir d; printf 1 > d/sub; touch -d @1655337600 d/sub d .", []string{
			"5 d/ 755 0:0 " + dayZero,
			"0 d/.wh.one 0 0:0 1970-01-01T00:00:00Z",
			"0 d/.wh.two 0 0:0 1970-01-01T00:00:00Z",
			"0 d/sub 644 0:0 " + dayZero + ` "1"`}},
		"hard link to what was there": {"ln a d/a; touch -d @1655337600 d", []string{
			`0 a 644 0:0 ` + dayZero + ` "a"`,
			"5 d/ 755 0:0 " + dayZero,
			"1 d/a 644 0:0 " + dayZero + " -> a"}},
		"new hard links": {"echo n > z; ln z d/n; ln z b; touch -d @1655337600 z d .", []string{
			"0 b 644 0:0 " + dayZero + ` "n\n"`,
			"5 d/ 755 0:0 " + dayZero,
			"1 d/n 644 0:0 " + dayZero + " -> b",
			"1 z 644 0:0 " + dayZero + " -> b"}},
		"one name of two": {"echo more >> h1; touch -d @1655337600 h1", []string{`0 h1 644 0:0 ` + dayZero + ` "hardmore\n"`}},
		"sorted": {"mkdir s s/a; touch s/a-b s/a/x s/a.b s/a0 's/a b' s/ab; find s . -maxdepth 3 -newermt 2025-01-01 -exec touch -d @1655337600 {} +", []string{
			"5 s/ 755 0:0 " + dayZero,
			"5 s/a/ 755 0:0 " + dayZero,
			"0 s/a/x 644 0:0 " + dayZero,
			"0 s/a b 644 0:0 " + dayZero,
			"0 s/a-b 644 0:0 " + dayZero,
			"0 s/a.b 644 0:0 " + dayZero,
			"0 s/a0 644 0:0 " + dayZero,
			"0 s/ab 644 0:0 " + dayZero}},
		"fifo": {"mkfifo -m 0622 p; touch -d @1655337600 p .", []string{"6 p 622 0:0 " + dayZero}},
		"moved": {"mv d e; touch -d @1655337600 .", []string{
			"0 .wh.d 0 0:0 1970-01-01T00:00:00Z",
			"5 e/ 755 0:0 " + dayZero,
			"0 e/one 644 0:0 " + dayZero + ` "1"`,
			"5 e/sub/ 755 0:0 " + dayZero,
			"0 e/sub/deep 644 0:0 " + dayZero + ` "deep"`,
			"0 e/sub/two 644 0:0 " + dayZero + ` "2"`,
			"0 e/two 644 0:0 " + dayZero + ` "2"`}},
	}
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", lowerTree(t))
		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				c := step(t, []string{low}, test.script)
				sameList(t, c.tar, test.want...)
			})
		}
	})
}

func TestCaptureXattrs(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", lowerTree(t))
		c := step(t, []string{low}, ":", func(o *overlay) {
			set := func(name, xattr, value string) {
				if err := unix.Lsetxattr(filepath.Join(o.merged, name), xattr, []byte(value), 0); err != nil {
					t.Fatal(err)
				}
			}
			set("x", "user.a", "2")
			set("d", "user.dir", "d\x00\n=")
			set("d/one", "user.b=c", "3")
			set("x", "user.d=%3D", "4")
			set("a", "security.capability", capNetRaw)
			if err := unix.Removexattr(filepath.Join(o.merged, "cap"), "security.capability"); err != nil {
				t.Fatal(err)
			}
		})
		sameList(t, c.tar,
			`0 a 644 0:0 `+dayZero+` "a" SCHILY.xattr.security.capability=`+fmt.Sprintf("%q", capNetRaw),
			`0 cap 755 0:0 `+dayZero+` "c"`,
			`5 d/ 755 0:0 `+dayZero+` SCHILY.xattr.user.dir="d\x00\n="`,
			`0 d/one 644 0:0 `+dayZero+` "1" SCHILY.xattr.user.b%3Dc="3"`,
			`0 x 644 0:0 `+dayZero+` "x" SCHILY.xattr.user.a="2" SCHILY.xattr.user.d%3D%253D="4"`)
		if len(c.res.Skipped) > 0 {
			t.Errorf("skipped %v", c.res.Skipped)
		}
	})
}

// TestCaptureAwkward changes everything of a tree with one of everything, so that all of it is copied up
// and captured, and must be what it was.
func TestCaptureAwkward(t *testing.T) {
	inTiers(t, func(t *testing.T, tier string) {
		low, _ := unpackTo(t, "low", awkward(t))
		script := "find . -xdev ! -type l -exec touch -d @1600000000 {} +"
		if tier == "mapped" {
			script += "; touch -h -d @1600000000 etc/dangling"
		}
		c := step(t, []string{low}, script)
		got := map[string]string{}
		for _, line := range list(t, c.tar) {
			f := strings.SplitN(line, " ", 3)
			if strings.Contains(line, "ä") {
				continue
			}
			got[f[1]] = f[0] + " " + f[2]
		}
		want := map[string]string{}
		for _, line := range list(t, awkward(t)) {
			f := strings.SplitN(line, " ", 3)
			if strings.Contains(line, "ä") {
				continue
			}
			if strings.Contains(line, "dangling") && tier == "single" {
				continue
			}
			rest := f[0] + " " + f[2]
			for _, time := range []string{dayZero, "2022-06-17T00:00:00.123456789Z", "1969-12-31T20:34:15.000000678Z"} {
				rest = strings.Replace(rest, time, "2020-09-13T12:26:40Z", 1)
			}
			name := strings.TrimPrefix(f[1], "./")
			if name == "" {
				name = "./"
			}
			want[name] = strings.Replace(rest, "-> ./", "-> ", 1)
		}
		want["etc/acl"] = strings.ReplaceAll(want["etc/acl"], `SCHILY.acl.access="user::rw-\nuser:7:rw-\ngroup::r--\nmask::rw-\nother::r--\n"`,
			fmt.Sprintf("SCHILY.xattr.system.posix_acl_access=%q", mustACL(t, "u::rw-,u:7:rw-,g::r--,m::rw-,o::r--")))
		want["etc/acl.d/"] = strings.ReplaceAll(want["etc/acl.d/"], `SCHILY.acl.default="user::rwx\ngroup::r-x\ngroup:0:rwx\nmask::rwx\nother::r-x\n"`,
			fmt.Sprintf("SCHILY.xattr.system.posix_acl_default=%q", mustACL(t, "u::rwx,g::r-x,g:0:rwx,m::rwx,o::r-x")))
		for _, gone := range []string{` SCHILY.xattr.user.overlay.x="no"`, ` SCHILY.xattr.user.xtoo.device="c 1 3"`} {
			want["etc/probe"] = strings.Replace(want["etc/probe"], gone, "", 1)
		}
		// An overlay does not keep the names of one file together when it copies them up.
		want["usr/bin/ping6"] = want["usr/bin/ping"]
		testutil.SameTrees(t, "layer", got, want)
	})
}

func mustACL(t *testing.T, text string) string {
	t.Helper()
	m, err := layers.MemberOf(&tar.Header{Name: "x", Typeflag: tar.TypeReg, PAXRecords: map[string]string{"SCHILY.acl.access": text}})
	if err != nil || m.Xattrs["system.posix_acl_access"] == "" {
		t.Fatal(m, err)
	}
	return m.Xattrs["system.posix_acl_access"]
}

// TestCaptureSame builds the same steps in both tiers and compares the bytes.
func TestCaptureSame(t *testing.T) {
	dir := t.TempDir()
	if os.Getenv(tierVar) != "" {
		dir = os.Getenv("XTOO_TEST_SAME")
	} else {
		t.Setenv("XTOO_TEST_SAME", dir)
		if err := os.Chmod(dir, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	inTiers(t, func(t *testing.T, tier string) {
		low, _ := unpackTo(t, "low", awkward(t))
		first := step(t, []string{low}, `
			touch var/mail/new; mkdir var/mail/newdir; touch var/mail/newdir/inner; echo x >> var/mail/inherited
			echo x >> var/mail/roots; echo x >> var/mail/uids; ln var/mail/new var/mail/linked
			ln -s target var/mail/symlink; mkfifo var/mail/fifo; mkdir var/mail/sub/own; touch var/mail/sub/file
			chmod u+s usr/bin/chage; echo x >> etc/shadow; chmod 700 usr/none; rm usr/bin/ping; ln usr/bin/su usr/bin/su2
			touch dev/console etc/acl etc/acl.d/more; echo x >> etc/probe; mkdir -p a/b/c; chmod 2755 a; touch a/new`)
		second := step(t, []string{first.upper, low}, `
			echo more >> var/mail/new; echo more >> var/mail/newdir/inner; touch var/mail/newdir/another
			rm -r var/mail/sub; mkdir var/mail/sub; chmod g-s var/mail/sub; touch var/mail/sub/x; mv a b; rm usr/bin/su`)
		for i, c := range []captured{first, second} {
			if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%s-%d.tar", tier, i)), c.tar, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	})
	if os.Getenv(tierVar) != "" || t.Failed() {
		return
	}
	for i := range 2 {
		var lists [2]map[string]string
		var data [2][]byte
		for j, tier := range tiers {
			var err error
			if data[j], err = os.ReadFile(filepath.Join(dir, fmt.Sprintf("%s-%d.tar", tier, i))); err != nil {
				t.Skipf("not both tiers ran: %v", err)
			}
			lists[j] = map[string]string{}
			for _, line := range list(t, data[j]) {
				f := strings.SplitN(line, " ", 3)
				lists[j][f[1]] = line
			}
		}
		testutil.SameTrees(t, fmt.Sprintf("layer %d, single and mapped", i), lists[1], lists[0])
		if !bytes.Equal(data[0], data[1]) {
			t.Errorf("layer %d: the bytes differ", i)
		}
		// The group that is passed on, and the explicit one.
		for name, owner := range map[string]string{"var/mail/new": "0:8", "var/mail/newdir/": "0:8", "var/mail/newdir/inner": "0:8", "var/mail/roots": "0:0", "var/mail/uids": "5:0", "var/mail/symlink": "0:8"} {
			if line := lists[0][name]; i == 0 && !strings.Contains(line, " "+owner+" ") {
				t.Errorf("owner of %s is not %s: %s", name, owner, line)
			}
		}
	}
}
