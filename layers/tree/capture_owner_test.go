package tree

import (
	"archive/tar"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers/inode"
)

// far is an id that no tier has.
const far = 4000000000

// owned has links and fifos of owners in and out of the map of either tier.
func owned(t testing.TB) []byte {
	return testutil.Tar(t,
		testutil.Dir("./").WithMode(0o755),
		testutil.Dir("d/"),
		testutil.Symlink("d/both", "x").WithMode(0o777).WithOwner(250, far),
		testutil.Symlink("d/far", "x").WithMode(0o777).WithOwner(far, far),
		testutil.Device("d/pipe", tar.TypeFifo, 0, 0).WithMode(0o640).WithOwner(far, 7),
		testutil.Link("d/pipe2", "d/pipe"),
		testutil.Symlink("d/root", "x").WithMode(0o777),
		testutil.Symlink("d/user", "x").WithMode(0o777).WithOwner(1000, 1000),
		testutil.Dir("m/").WithMode(0o2775).WithOwner(0, far),
		testutil.Symlink("m/passed", "x").WithMode(0o777).WithOwner(0, far),
		testutil.Symlink("m/roots", "x").WithMode(0o777),
	)
}

// ownerSteps do to links and fifos what scripts do, and what is left of each by its owner.
var ownerSteps = map[string]struct {
	script string
	want   []string
}{
	"nothing":   {":", nil},
	"only read": {"readlink d/far; cat < /dev/null d/user || true; ls -lR . > /dev/null", nil},
	"times": {"touch -h -d @5 d/far d/pipe; touch -h -d @1655337600 d/user d", []string{
		"5 d/ 755 0:0 " + dayZero,
		"2 d/far 777 4000000000:4000000000 1970-01-01T00:00:05Z -> x",
		"6 d/pipe 640 4000000000:7 1970-01-01T00:00:05Z"}},
	"moved": {"mv d/far d/z; mv d/both m/; mv d/pipe .; touch -d @1655337600 d m .", []string{
		"5 d/ 755 0:0 " + dayZero,
		"0 d/.wh.both 0 0:0 1970-01-01T00:00:00Z",
		"0 d/.wh.far 0 0:0 1970-01-01T00:00:00Z",
		"0 d/.wh.pipe 0 0:0 1970-01-01T00:00:00Z",
		"2 d/z 777 4000000000:4000000000 " + dayZero + " -> x",
		"5 m/ 2775 0:4000000000 " + dayZero,
		"2 m/both 777 250:4000000000 " + dayZero + " -> x",
		"6 pipe 640 4000000000:7 " + dayZero}},
	"moved there and back": {"mv d/far z; mv z d/far; mv d/pipe z; mv z d/pipe; touch -d @1655337600 d .", nil},
	"linked": {"ln d/far l; ln -P d/user d/u2; ln d/pipe p; rm d/user; touch -d @1655337600 d .", []string{
		"5 d/ 755 0:0 " + dayZero,
		"0 d/.wh.user 0 0:0 1970-01-01T00:00:00Z",
		"2 d/far 777 4000000000:4000000000 " + dayZero + " -> x",
		"6 d/pipe 640 4000000000:7 " + dayZero,
		"2 d/u2 777 1000:1000 " + dayZero + " -> x",
		"1 l 777 4000000000:4000000000 " + dayZero + " -> d/far",
		"1 p 640 4000000000:7 " + dayZero + " -> d/pipe"}},
	"made again": {"rm d/far d/pipe; ln -s x d/far; mkfifo -m 640 d/pipe; touch -h -d @1655337600 d/far d/pipe d", []string{
		"5 d/ 755 0:0 " + dayZero,
		"2 d/far 777 0:0 " + dayZero + " -> x",
		"6 d/pipe 640 0:0 " + dayZero}},
	"given to root": {"chown -h 0:0 d/far d/pipe; chgrp -h 0 d/both; touch -h -d @1655337600 d/far d/pipe d", []string{
		"5 d/ 755 0:0 " + dayZero,
		"2 d/far 777 0:0 " + dayZero + " -> x",
		"6 d/pipe 640 0:0 " + dayZero}},
	"directory moved": {"cp -a d e; rm -r d; touch -d @1655337600 .", nil},
	"passed on": {"ln -s x m/new; mkfifo -m 600 m/pipe; touch -h -d @1655337600 m/new m/pipe m/roots m/passed m", []string{
		"5 m/ 2775 0:4000000000 " + dayZero,
		"2 m/new 777 0:4000000000 " + dayZero + " -> x",
		"6 m/pipe 600 0:4000000000 " + dayZero}},
	"mode": {"chmod 600 d/pipe; touch -d @1655337600 d d/pipe", []string{
		"5 d/ 755 0:0 " + dayZero,
		"6 d/pipe 600 4000000000:7 " + dayZero}},
}

// TestCaptureLinkOwners: the owners of links and fifos that the map does not have follow them through what a step does.
func TestCaptureLinkOwners(t *testing.T) {
	inTiers(t, func(t *testing.T, tier string) {
		low, res := unpackTo(t, "low", owned(t))
		if len(res.Lost) > 0 {
			t.Errorf("lost: %v", res.Lost)
		}
		for name, test := range ownerSteps {
			t.Run(name, func(t *testing.T) {
				c := step(t, []string{low}, test.script)
				if name == "directory moved" {
					return // each tier shows the script other owners to copy; step has checked that they stay
				}
				if name == "given to root" { // of both only what the kernel can tell is given away
					uid := map[string]string{"mapped": "250", "single": "0"}[tier]
					test.want = slices.Insert(slices.Clone(test.want), 1, "2 d/both 777 "+uid+":0 "+dayZero+" -> x")
				}
				sameList(t, c.tar, test.want...)
				if len(c.tar) == 0 {
					return
				}
				// A step above finds them as they are, in the directory as captured and in one made anew.
				fresh, _ := unpackTo(t, "fresh", c.tar)
				for _, top := range []string{c.upper, fresh} {
					if again := step(t, []string{top, low}, ":"); len(again.tar) > 0 {
						t.Errorf("a step that does nothing gave\n%s", strings.Join(list(t, again.tar), "\n"))
					}
				}
			})
		}
	})
}

// TestCaptureRecorded: what was recorded at run time, through the overlay, is what the layer says, and the bytes
// are those that unpacking them and doing it again gives.
func TestCaptureRecorded(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", owned(t))
		record := func(o *overlay) {
			for name, ids := range map[string][2]uint32{
				"d/far": {far - 1, 3}, "d/root": {inode.NoID, far}, "d/user": {0, 0}, "d/pipe": {inode.NoID, inode.NoID}, "m/new": {far, inode.NoID},
				"m/zero": {0, 0}, "m/passed": {inode.NoID, 0}, "file": {far, 0}, "socket": {far, far},
			} {
				fd, err := unix.Open(filepath.Join(o.merged, name), unix.O_PATH|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
				if err != nil {
					t.Fatal(err)
				}
				var st unix.Stat_t
				if err := unix.Fstat(fd, &st); err != nil {
					t.Fatal(err)
				}
				if err := inode.Chown(inode.FDHandle(fd, &st), &st, ids[0], ids[1], inode.AnyDirectory()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				inode.CloseFD(fd)
			}
			o.run(t, "mv d/far far; rm socket; touch -h -d @1655337600 m/* m d . file")
		}
		c := step(t, []string{low}, "ln -s x m/new; ln -s x m/zero; echo f > file", func(o *overlay) {
			if err := unix.Mknod(filepath.Join(o.merged, "socket"), unix.S_IFSOCK|0o600, 0); err != nil {
				t.Fatal(err)
			}
			record(o)
		})
		sameList(t, c.tar,
			"5 d/ 755 0:0 "+dayZero,
			"0 d/.wh.far 0 0:0 1970-01-01T00:00:00Z",
			"2 d/root 777 0:4000000000 "+dayZero+" -> x",
			"2 d/user 777 0:0 "+dayZero+" -> x",
			"2 far 777 3999999999:3 "+dayZero+" -> x",
			"0 file 644 4000000000:0 "+dayZero+` "f`+`\n"`,
			"5 m/ 2775 0:4000000000 "+dayZero,
			"2 m/new 777 4000000000:4000000000 "+dayZero+" -> x",
			"2 m/passed 777 0:0 "+dayZero+" -> x",
			"2 m/zero 777 0:0 "+dayZero+" -> x")
	})
}
