package tree

import (
	"bytes"
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"xtoo/internal/testutil"
)

// sameInCopy does a step that was captured of an overlay once more in a copy of the root: the layer has the same bytes, and the copy is then
// brought to what a new one would be. It does so in the tier that every user has; in the other, too, among the slow cases.
func sameInCopy(t *testing.T, c captured, lowers []string, script string, do ...func(o *overlay)) {
	t.Helper()
	if os.Getenv(tierVar) == "mapped" && !testutil.IsLong() {
		return
	}
	got, at, err := copyStep(t, lowers, false, script, do...)
	apart := errors.Is(err, ErrLinked)
	if apart {
		got, at, err = copyStep(t, lowers, true, script, do...)
	}
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.tar, c.tar) {
		t.Errorf("in a copy the layer has\n%s\n-- in an overlay\n%s", strings.Join(list(t, got.tar), "\n"), strings.Join(list(t, c.tar), "\n"))
	}
	if apart {
		if _, err := RefreshCopy(t.Context(), at, lowers); err == nil {
			t.Error("a copy with names apart is renewed")
		}
		return
	}
	above := lowers
	if got.res.Entries > 0 {
		above = append([]string{got.upper}, lowers...)
	}
	if _, err := RefreshCopy(t.Context(), at, above); err != nil {
		t.Fatal(err)
	}
	fresh := newDir(t, "fresh")
	if _, err := CopyRoot(t.Context(), fresh, above, false); err != nil {
		t.Fatal(err)
	}
	testutil.SameTrees(t, "a copy that was renewed", testutil.Dump(t, CopiedRoot(at)), testutil.Dump(t, CopiedRoot(fresh)))
	for _, dir := range []string{at, fresh} { // each is as large as the whole root
		testutil.Must(t, RemoveAll(context.Background(), dir))
	}
}

// copyStep runs a script in a copy of the root and captures the change.
func copyStep(t *testing.T, lowers []string, apart bool, script string, do ...func(o *overlay)) (captured, string, error) {
	t.Helper()
	at, upper := newDir(t, "copy"), newDir(t, "upper")
	if _, err := CopyRoot(t.Context(), at, lowers, apart); err != nil {
		t.Fatal(err)
	}
	o := &overlay{merged: CopiedRoot(at), lowers: lowers}
	o.run(t, script)
	for _, f := range do {
		f(o)
	}
	skipped, err := TakeChanges(t.Context(), at, upper, lowers)
	if err != nil {
		return captured{}, at, err
	}
	c := capture(t, upper, lowers, CaptureOptions{Epoch: epoch, Copied: true})
	c.res.Skipped = append(skipped, c.res.Skipped...)
	fresh := newDir(t, "fresh")
	if _, err := Unpack(t.Context(), bytes.NewReader(c.tar), fresh, UnpackOptions{Copied: true}); err != nil {
		t.Fatal(err)
	}
	ownersCanRemove(t, upper)
	if diff, err := Compare(t.Context(), upper, fresh); diff != "" || err != nil {
		t.Errorf("upper directory of a copy and unpacked layer: %s, %v", diff, err)
	}
	return c, at, nil
}

// What overlayfs and a copy could do differently.
func TestCopyLikeOverlay(t *testing.T) {
	scripts := map[string]string{
		"links are seen":             `test h1 -ef h2; ! test a -ef h1; cp -a h1 h2 d/`,
		"links moved with theirs":    `mkdir m; mv d m/; rm h1`,
		"one of two is moved":        `mv h1 d/moved`,
		"one of two is changed":      `chmod 4711 h1`,
		"one of two and back":        `chmod 711 h2; chmod 644 h2`,
		"one of two is linked":       `ln h1 d/linked; rm h2`,
		"both are changed":           `chmod 600 h1 h2; touch -d @1000 h1 h2`,
		"one of two is gone":         `rm h1`,
		"both are gone":              `rm h1 h2`,
		"both made again":            `cp -a h1 n; rm h1 h2; mv n h1; ln h1 h2`,
		"parent of links moved":      `mv links moved`,
		"parent moved away and back": `mv links moved; mv moved links`,
		"directories exchanged":      `mv d t; mv links d; mv t links; touch -d @1655337600 .`,
		"time set back":              `printf 2 > d/one; touch -d @1655337600 d/one`,
		"written as it was":          `printf 1 > d/one; touch -d @1655337600 d/one`,
		"touched only":               `touch d/one d/sub`,
		"sockets and odd things":     `mkdir s; mkfifo s/p; ln -s /nowhere s/l; rm -r d/sub; mkdir d/sub`,
		"a file of another name":     `mv a b; mv file a; mv b file`,
		"opaque by its own word":     `setfattr -n user.overlay.x -v y d 2>/dev/null || :; touch d/new`,
		"large and sparse":           `truncate -s 3M big; printf x | dd of=big bs=1 seek=2000000 conv=notrunc 2>/dev/null; cp big big2; cat big2 >> file`,
	}
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", testutil.Tar(t,
			testutil.Dir("./"), testutil.File("a", "a"), testutil.Dir("d/"), testutil.File("d/one", "1"), testutil.Dir("d/sub/"), testutil.File("d/sub/deep", "deep"),
			testutil.File("file", "file").WithMode(0o600), testutil.File("h1", "hard"), testutil.Link("h2", "h1"),
			testutil.Dir("links/"), testutil.File("links/1", "in"), testutil.Link("links/2", "links/1"), testutil.Link("links/3", "h1")))
		for name, script := range scripts {
			t.Run(name, func(t *testing.T) { step(t, []string{low}, script) })
		}
	})
}

// What a script makes the kernel or overlayfs would take for something else.
func TestCopyMarks(t *testing.T) {
	inTiers(t, func(t *testing.T, _ string) {
		low, _ := unpackTo(t, "low", lowerTree(t))
		c, _, err := copyStep(t, []string{low}, false, `setfattr -n user.overlay.opaque -v y d; setfattr -n user.overlay.redirect -v x a; setfattr -n user.xtoo.copied -v 1 file; touch -d @1655337600 .`)
		if err != nil || c.res.Entries != 0 {
			t.Errorf("%v: %v", list(t, c.tar), err)
		}
	})
}

// A copy that somebody has put an end to, or that is not there, is an error.
func TestCopyBroken(t *testing.T) {
	inOneTier(t, func(t *testing.T) {
		low, _ := unpackTo(t, "low", lowerTree(t))
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := CopyRoot(ctx, newDir(t, "copy"), []string{low}, false); !errors.Is(err, context.Canceled) {
			t.Errorf("ended: %v", err)
		}
		at := newDir(t, "copy")
		if _, err := TakeChanges(t.Context(), at, newDir(t, "upper"), []string{low}); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("no copy: %v", err)
		}
		if _, err := CopyRoot(t.Context(), at, []string{low}, false); err != nil {
			t.Fatal(err)
		}
		if _, err := CopyRoot(t.Context(), at, []string{low}, false); !errors.Is(err, os.ErrExist) {
			t.Errorf("a second copy in its place: %v", err)
		}
	})
}
