package layers

import (
	"bytes"
	"context"
	"errors"
	"io"
	"reflect"
	"strings"
	"testing"
	"time"

	"xtoo/internal/testutil"
)

// differences are what Compare says of two streams.
func differences(t *testing.T, a, b []byte) []string {
	t.Helper()
	var all []string
	err := Compare(t.Context(), bytes.NewReader(a), bytes.NewReader(b), func(d Difference) error {
		all = append(all, d.String())
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestCompare(t *testing.T) {
	at := time.Unix(1600000000, 0)
	file := func(name, data string) testutil.Member { return testutil.File(name, data).WithTime(at) }
	big := strings.Repeat("x", 100_000)
	first := testutil.Tar(t,
		testutil.Dir("./").WithTime(at), file("a", "1"), file("a-b", "same"), testutil.Dir("d/").WithTime(at), file("d/.wh.gone", ""), file("d/big", big+"1"),
		file("d/mode", "").WithMode(0o644), file("d/owner", "").WithOwner(1, 2), file("d/sized", "12"), testutil.Link("d/xlink", "a").WithTime(at), file("d.txt", ""),
		testutil.Device("dev", '3', 1, 3).WithTime(at), testutil.Symlink("link", "a").WithTime(at), file("time", ""), file("type", ""), file("xattr", "").WithXattr("user.a", "1").WithXattr("user.c", "1"))
	second := testutil.Tar(t,
		testutil.Dir("./").WithTime(at), file("a", "2"), file("a-b", "same"), testutil.Dir("d/").WithTime(at), file("d/big", big+"2"),
		file("d/mode", "").WithMode(0o4755), file("d/new", ""), file("d/owner", "").WithOwner(1, 3), file("d/sized", "1"), testutil.Link("d/xlink", "a-b").WithTime(at), file("d.txt", ""),
		testutil.Device("dev", '3', 1, 5).WithTime(at), testutil.Symlink("link", "b").WithTime(at), file("time", "").WithTime(at.Add(time.Second)),
		testutil.Dir("type/").WithTime(at), file("xattr", "").WithXattr("user.a", "2").WithXattr("user.b", "1"))
	want := []string{
		"/a: content from byte 0 on", "/d/gone: hidden only in the first", "/d/big: content from byte 100000 on", "/d/mode: mode 0644 and 4755",
		"/d/new: only in the second", "/d/owner: owner 1:2 and 1:3", "/d/sized: content of 2 and 1 bytes", `/d/xlink: hard link to "a" and "a-b"`,
		"/dev: device 1:3 and 1:5", `/link: target "a" and "b"`, "/time: time 2020-09-13T12:26:40Z and 2020-09-13T12:26:41Z", "/type: file and directory",
		`/xattr: xattr "user.a", xattr "user.b", xattr "user.c"`,
	}
	if got := differences(t, first, second); !reflect.DeepEqual(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if got := differences(t, first, first); got != nil {
		t.Errorf("a stream and itself: %q", got)
	}
	if got := differences(t, first, nil); len(got) != 16 || got[0] != "/: only in the first" {
		t.Errorf("a stream and none: %q", got)
	}
}

// TestCompareFails: what cannot be read, who has seen enough, and who is told to stop.
func TestCompareFails(t *testing.T) {
	good := testutil.Tar(t, testutil.File("a", strings.Repeat("1", 2000)))
	enough := errors.New("enough")
	stop := func(Difference) error { return enough }
	if err := Compare(t.Context(), bytes.NewReader(good), bytes.NewReader(nil), stop); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
	if err := Compare(t.Context(), bytes.NewReader(good), bytes.NewReader(good[:1000]), stop); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("cut: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Compare(ctx, bytes.NewReader(good), bytes.NewReader(good), stop); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}
