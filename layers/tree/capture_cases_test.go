package tree

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

func TestCaptureStack(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", lowerTree(t))
		lowers := []string{low}
		for _, script := range []string{
			"rm -r d; echo 1 > n; ln n n2",
			"mkdir -p d/sub; echo again > d/sub/deep",
			"rm -r d; echo file > d",
			"rm d; mkdir d; echo x > d/one; rm n",
			"rm -r d/*; rm n2 h1; chmod 700 d",
			"rm -rf d a; mkdir a; echo a > a/a; cp -a a b; rm -r b",
			"rm -rf ./*",
			"mkdir d; mkdir d/sub; echo end > d/sub/end",
		} {
			c := step(t, lowers, script)
			lowers = append([]string{c.upper}, lowers...)
		}
	})
}

func TestCaptureSkips(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", lowerTree(t))
		c := step(t, []string{low}, "rm a", func(o *overlay) {
			for _, name := range []string{"a", "socket"} {
				if err := unix.Mknod(filepath.Join(o.merged, name), unix.S_IFSOCK|0o600, 0); err != nil {
					t.Fatal(err)
				}
			}
		})
		sameList(t, c.tar, "5 ./ 755 0:0 "+dayEpoch, "0 .wh.a 0 0:0 1970-01-01T00:00:00Z")
		if !slices.Equal(c.res.Skipped, []Note{{"a", "socket"}, {"socket", "socket"}}) {
			t.Errorf("skipped %v", c.res.Skipped)
		}
		o := mountOverlay(t, low)
		o.run(t, "mkdir -p d/x; touch d/x/.wh.one")
		o.unmount(t)
		if _, err := Capture(t.Context(), new(bytes.Buffer), o.upper, []string{low}, CaptureOptions{}); !errors.Is(err, errWhiteoutName) || !strings.Contains(err.Error(), "d/x/.wh.one") {
			t.Errorf("a file named .wh.one: %v", err)
		}
		for _, x := range []string{layers.XattrRedirect, layers.XattrMetacopy} {
			upper := newDir(t, "odd")
			name := filepath.Join(upper, "x")
			if err := errors.Join(os.WriteFile(name, nil, 0o600), unix.Setxattr(name, x, []byte("y"), 0)); err != nil {
				t.Fatal(err)
			}
			if _, err := Capture(t.Context(), new(bytes.Buffer), upper, nil, CaptureOptions{}); !errors.Is(err, errOverlay) {
				t.Errorf("%s: %v", x, err)
			}
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		o = mountOverlay(t, low)
		o.run(t, "touch x")
		o.unmount(t)
		if _, err := Capture(ctx, new(bytes.Buffer), o.upper, []string{low}, CaptureOptions{}); !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
	})
}

// TestCaptureScratch has no lower layers but an empty one, as the first step of an image from nothing.
func TestCaptureScratch(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		empty, _ := unpackTo(t, "empty", testutil.Tar(t))
		c := step(t, []string{empty}, "mkdir -p bin; echo x > bin/sh; chmod 755 bin/sh; touch -d @0 .")
		sameList(t, c.tar, "5 bin/ 755 0:0 "+dayEpoch, `0 bin/sh 755 0:0 `+dayEpoch+` "x\n"`)
		none := capture(t, c.upper, nil, CaptureOptions{Epoch: epoch})
		if !bytes.Equal(none.tar, c.tar) {
			t.Error("no lower layer and an empty one differ")
		}
	})
}

// TestCaptureLater has lower layers with times after SOURCE_DATE_EPOCH: what did not change stays out.
func TestCaptureLater(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", lowerTree(t))
		o := mountOverlay(t, low)
		o.run(t, "chmod 600 a d/one; chmod 644 a; chmod 777 d/sub/deep")
		o.unmount(t)
		c := capture(t, o.upper, []string{low}, CaptureOptions{Epoch: day0.Add(-1e9)})
		const before = "2022-06-15T23:59:59Z"
		sameList(t, c.tar,
			"5 d/ 755 0:0 "+before,
			"0 d/one 600 0:0 "+before+` "1"`,
			"5 d/sub/ 755 0:0 "+before,
			"0 d/sub/deep 777 0:0 "+before+` "deep"`)
	})
}

// TestCaptureLinksOfLower has a copied up file with the names that it has in the lower layer, which overlayfs
// with an index makes.
func TestCaptureLinksOfLower(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", testutil.Tar(t, testutil.Dir("d/"), testutil.File("d/h1", "hard"), testutil.Link("d/h2", "d/h1")))
		same, _ := unpackTo(t, "upper", testutil.Tar(t, testutil.Dir("d/"), testutil.File("d/h1", "hard"), testutil.Link("d/h2", "d/h1")))
		if c := capture(t, same, []string{low}, CaptureOptions{}); c.res.Entries != 0 {
			t.Errorf("%v", list(t, c.tar))
		}
		other, _ := unpackTo(t, "upper", testutil.Tar(t, testutil.Dir("d/"), testutil.File("d/h1", "hard"), testutil.Link("d/h2", "d/h1"), testutil.Link("d/h3", "d/h1")))
		c := capture(t, other, []string{low}, CaptureOptions{})
		sameList(t, c.tar, "5 d/ 755 0:0 "+dayZero, `0 d/h1 644 0:0 `+dayZero+` "hard"`, "1 d/h2 644 0:0 "+dayZero+" -> d/h1", "1 d/h3 644 0:0 "+dayZero+" -> d/h1")
	})
}

func TestCaptureSparse(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low := newDir(t, "low")
		c := step(t, []string{low}, "truncate -s 5M s; printf data | dd of=s bs=1 seek=3000000 conv=notrunc 2>/dev/null; printf end >> s; truncate -s 9M t")
		for name, size := range map[string]int64{"s": 5<<20 + 3, "t": 9 << 20} {
			var st unix.Stat_t
			if err := unix.Stat(filepath.Join(c.upper, name), &st); err != nil || st.Size != size || st.Blocks > 1000 {
				t.Errorf("%s: %v, %d bytes in %d blocks", name, err, st.Size, st.Blocks)
			}
		}
		if n := len(c.tar); n < 14<<20 || n > 14<<20+10000 {
			t.Errorf("the stream has %d bytes", n)
		}
	})
}

// What a step does to an owner that the map does not have wins, and what it leaves alone stays.
func TestCaptureOwnersOutside(t *testing.T) {
	t.Run("mapped", func(t *testing.T) {
		if !inside(t, "mapped") {
			return
		}

		low, _ := unpackTo(t, "low", testutil.Tar(t, testutil.Dir("d/").WithOwner(far, far), testutil.File("d/both", "1").WithOwner(far, far),
			testutil.File("d/group", "2").WithOwner(far, far), testutil.File("d/kept", "3").WithOwner(far, far), testutil.File("d/other", "4").WithOwner(far, far),
			testutil.File("d/part", "5").WithOwner(5, far), testutil.Symlink("d/link", "x").WithOwner(far, far), testutil.Symlink("d/same", "x").WithOwner(far, far),
			testutil.Dir("d/s/").WithMode(0o2775).WithOwner(far, far)))
		c := step(t, []string{low}, `
			chown 0:0 d d/both; chgrp 0 d/group; touch -h -d @1655337600 d/same d/part; chown 7:7 d/other; chown -h 0:0 d/link
			echo x > d/kept; echo x > d/s/inherited; echo x > d/s/roots; chgrp 0 d/s/roots; chmod g+w d/part
			touch -h -d @1655337600 d d/* d/s/*`)
		const day = "2022-06-16T00:00:00Z"
		sameList(t, c.tar, "5 d/ 755 0:0 "+day, `0 d/both 644 0:0 `+day+` "1"`, `0 d/group 644 4000000000:0 `+day+` "2"`, `0 d/kept 644 4000000000:4000000000 `+day+` "x\n"`,
			"2 d/link 777 0:0 "+day+" -> x", `0 d/other 644 7:7 `+day+` "4"`, `0 d/part 664 5:4000000000 `+day+` "5"`,
			"5 d/s/ 2775 4000000000:4000000000 "+day, `0 d/s/inherited 644 0:4000000000 `+day+` "x\n"`, `0 d/s/roots 644 0:0 `+day+` "x\n"`)
	})
}
