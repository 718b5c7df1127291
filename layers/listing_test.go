package layers

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"golang.org/x/sys/unix"
)

func TestListing(t *testing.T) {
	add := func(l *Listing, path string, mode uint32, data string, change ...func(*Member)) {
		t.Helper()
		m := Member{Path: path, Mode: mode, Size: int64(len(data)), ModTime: time.Unix(1, 5)}
		for _, c := range change {
			c(&m)
		}
		if err := l.Add(&m, strings.NewReader(data)); err != nil {
			t.Fatal(err)
		}
	}
	const file, dir, link = unix.S_IFREG | 0o644, unix.S_IFDIR | 0o755, unix.S_IFLNK | 0o777
	var before, after Listing
	add(&before, "same", file, "x")
	add(&after, "same", file, "x", func(m *Member) { m.ModTime = time.Unix(1, 9) }) // within the second
	add(&before, "a/x", file, "one")
	add(&after, "a/x", file, "two", func(m *Member) { m.UID, m.Xattrs = 7, map[string]string{"user.a": "b"} })
	before.Imply("a")
	add(&after, "a", dir, "")
	add(&before, "a-b", file, "long")
	add(&after, "a-b", file, "longer")
	add(&before, "kind", dir, "")
	add(&after, "kind", link, "", func(m *Member) { m.Target = "same" })
	before.Imply("turned")
	add(&after, "turned", file, "")
	add(&after, "", dir, "", func(m *Member) { m.UID = 1 }) // the root that the other does not describe
	add(&before, "one", file, "1")
	for _, err := range []error{before.Link("two", "one"), before.Link("three", "one")} {
		if err != nil {
			t.Fatal(err)
		}
	}
	add(&after, "two", file, "1")

	changes, err := after.Changes(t.Context(), &before)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range changes {
		got = append(got, fmt.Sprint(c.State, " ", c.Path, " ", strings.Join(c.How, ", ")))
	}
	want := []string{
		`changed /a/x owner 0:0 and 7:0, xattr "user.a", content`, "changed /a-b content of 4 and 6 bytes",
		"changed /kind directory and symbolic link", "removed /one ", "removed /three ", "changed /turned directory and file",
	}
	if !slices.Equal(got, want) {
		t.Errorf("changes\n%s\nand not\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var none Listing
	if changes, err := none.Changes(t.Context(), &Listing{}); err != nil || len(changes) > 0 {
		t.Errorf("nothing and nothing: %v, %v", changes, err)
	}
	if err := none.Link("a", "b"); err == nil {
		t.Error("a link to nothing is taken")
	}
	bad := errors.New("no data")
	if err := none.Add(&Member{Path: "a", Mode: file}, iotest.ErrReader(bad)); !errors.Is(err, bad) {
		t.Errorf("data that cannot be read: %v", err)
	}
}
