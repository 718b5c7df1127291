package tree

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"xtoo/internal/testutil"
	"xtoo/layers"
)

// epoch is the SOURCE_DATE_EPOCH of the tests: a day after the newest member of their base layers.
var epoch = day1.Add(24 * 3600 * 1e9)

// captured is what one build step gave.
type captured struct {
	tar   []byte
	upper string
	res   CaptureResult
}

// step mounts an overlay, runs a script in it and captures the change. It checks what holds for every change:
// the upper directory equals what unpacking the stream gives, the tree is still what the script left, and
// the stream is in its canonical order.
func step(t *testing.T, lowers []string, script string, do ...func(o *overlay)) captured {
	t.Helper()
	o := mountOverlay(t, lowers...)
	o.run(t, script)
	for _, f := range do {
		f(o)
	}
	saw := mergedDump(t, o.merged)
	o.unmount(t)
	c := capture(t, o.upper, lowers, CaptureOptions{Epoch: epoch})
	checkCaptured(t, c, lowers, saw)
	sameInCopy(t, c, lowers, script, do...)
	return c
}

func capture(t *testing.T, upper string, lowers []string, o CaptureOptions) captured {
	t.Helper()
	var b bytes.Buffer
	res, err := Capture(t.Context(), &b, upper, lowers, o)
	if err != nil {
		t.Fatal(err)
	}
	if (res.Entries == 0) != (b.Len() == 0) {
		t.Errorf("%d entries in %d bytes", res.Entries, b.Len())
	}
	return captured{b.Bytes(), upper, res}
}

func checkCaptured(t *testing.T, c captured, lowers []string, saw map[string]string) {
	t.Helper()
	fresh := newDir(t, "fresh")
	if _, err := Unpack(t.Context(), bytes.NewReader(c.tar), fresh, UnpackOptions{}); err != nil {
		t.Fatal(err)
	}
	ownersCanRemove(t, c.upper)
	testutil.SameTrees(t, "upper directory and unpacked layer", testutil.Dump(t, c.upper), testutil.Dump(t, fresh))
	if diff, err := Compare(t.Context(), c.upper, fresh); diff != "" || err != nil {
		t.Errorf("upper directory and unpacked layer: %s, %v", diff, err)
	}
	o := mountOverlay(t, append([]string{fresh}, lowers...)...)
	testutil.SameTrees(t, "tree after the capture", mergedDump(t, o.merged), saw)
	o.unmount(t)
	checkOrder(t, c.tar)
	// What was captured is unchanged: capturing again over the same layers gives the same.
	again := capture(t, c.upper, lowers, CaptureOptions{Epoch: epoch})
	if !bytes.Equal(again.tar, c.tar) {
		t.Errorf("the second capture differs:\n%s\n-- first:\n%s", strings.Join(list(t, again.tar), "\n"), strings.Join(list(t, c.tar), "\n"))
	}
}

// ownersCanRemove: in the single tier no mode in a layer directory is in the way of `rm -rf`.
func ownersCanRemove(t *testing.T, dir string) {
	t.Helper()
	if os.Getenv(tierVar) != "single" {
		return
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.IsDir() {
			return err
		}
		info, err := d.Info()
		if err == nil && info.Mode().Perm()&0o700 != 0o700 {
			t.Errorf("%s: mode %v: its owner cannot empty it", path, info.Mode())
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
}

func checkOrder(t *testing.T, data []byte) {
	t.Helper()
	var last string
	seen := map[string]bool{"": true}
	for _, hdr := range testutil.ReadTar(t, data) {
		name := hdr.Name
		if name == "./" {
			if last != "" {
				t.Errorf("the root is not first")
			}
			continue
		}
		path := strings.TrimSuffix(name, "/")
		// Components compare one by one: a slash sorts before everything.
		if strings.ReplaceAll(path, "/", "\x00") <= strings.ReplaceAll(last, "/", "\x00") {
			t.Errorf("%q after %q", path, last)
		}
		last = path
		dir, _, _ := cutLast(path)
		if !seen[dir] {
			t.Errorf("%q without its directory", path)
		}
		seen[path] = true
	}
}

func cutLast(path string) (dir, name string, ok bool) {
	i := strings.LastIndexByte(path, '/')
	if i < 0 {
		return "", path, false
	}
	return path[:i], path[i+1:], true
}

// mergedDump describes a mounted tree as Capture must keep it: times clamped, no sockets, no records of owners
// (inherited ones are recorded later), no numbers of names.
func mergedDump(t *testing.T, root string) map[string]string {
	t.Helper()
	tree := testutil.View{Xattr: func(x string) bool {
		return !strings.HasPrefix(x, layers.XattrOwner) && !strings.HasPrefix(x, layers.XattrOverlay)
	}}.Dump(t, root)
	for path, line := range tree {
		if strings.HasPrefix(line, "014") { // a socket
			delete(tree, path)
			continue
		}
		if i := strings.Index(line, ` security.capability="`); i >= 0 && strings.Contains(line[i:], "xtoo") {
			line = line[:i] // the record of a link or a fifo
		}
		line = seenMode(line)
		f := strings.SplitN(line, " ", 4)
		var sec, nsec int64
		if _, err := fmt.Sscanf(f[2], "%d.%d", &sec, &nsec); err == nil && (sec > epoch.Unix() || (sec == epoch.Unix() && nsec > int64(epoch.Nanosecond()))) {
			f[2] = "epoch"
		} else if sec == epoch.Unix() && nsec == int64(epoch.Nanosecond()) {
			f[2] = "epoch"
		}
		line = strings.Join(f, " ")
		if i := strings.Index(line, " links, first"); i >= 0 {
			line = line[:strings.LastIndexByte(line[:i], ' ')]
		}
		tree[path] = line
	}
	return tree
}

// seenMode gives a directory of a dump the mode that is recorded for it, if the record counts.
func seenMode(line string) string {
	before, after, found := strings.Cut(line, ` user.xtoo.mode="`)
	if !found {
		return line
	}
	recorded, rest, _ := strings.Cut(after, `"`)
	mode, _, _ := strings.Cut(line, " ")
	var was, is uint64
	if _, err := fmt.Sscanf(recorded+" "+mode, "%o %o", &was, &is); err == nil && is == 0o41700|was {
		before = fmt.Sprintf("%#o%s", 0o40000|was, strings.TrimPrefix(before, mode))
	}
	return before + rest
}

// sameList compares what a layer holds.
func sameList(t *testing.T, data []byte, want ...string) {
	t.Helper()
	if got := list(t, data); !slices.Equal(got, want) {
		t.Errorf("the layer has\n%s\n-- want\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
