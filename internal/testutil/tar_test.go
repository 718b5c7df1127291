package testutil_test

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"xtoo/internal/testutil"
)

func TestTar(t *testing.T) {
	data := testutil.Tar(t,
		testutil.Member{Header: tar.Header{Name: "d/"}},
		testutil.Dir("e").WithMode(0o1777).WithOwner(3, 4),
		testutil.Member{Header: tar.Header{Name: "d/plain"}, Data: "12345"},
		testutil.File("f", "x").WithXattr("user.a", "1").WithXattr("user.b", "2").WithTime(time.Unix(9, 0)),
		testutil.Symlink("s", "f"),
		testutil.Link("h", "f"),
		testutil.Device("c", tar.TypeChar, 5, 1).WithMode(0o600),
		testutil.Device("p", tar.TypeFifo, 0, 0),
	)
	want := []tar.Header{
		{Name: "d/", Typeflag: tar.TypeDir, Mode: 0o755},
		{Name: "e", Typeflag: tar.TypeDir, Mode: 0o1777, Uid: 3, Gid: 4},
		{Name: "d/plain", Typeflag: tar.TypeReg, Mode: 0o644, Size: 5},
		{Name: "f", Typeflag: tar.TypeReg, Mode: 0o644, Size: 1, ModTime: time.Unix(9, 0)},
		{Name: "s", Typeflag: tar.TypeSymlink, Mode: 0o777, Linkname: "f"},
		{Name: "h", Typeflag: tar.TypeLink, Mode: 0o644, Linkname: "f"},
		{Name: "c", Typeflag: tar.TypeChar, Mode: 0o600, Devmajor: 5, Devminor: 1},
		{Name: "p", Typeflag: tar.TypeFifo, Mode: 0o644},
	}
	r := tar.NewReader(bytes.NewReader(data))
	for _, w := range want {
		h, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if w.ModTime.IsZero() {
			w.ModTime = testutil.Day
		}
		if h.Name != w.Name || h.Typeflag != w.Typeflag || h.Mode != w.Mode || h.Size != w.Size || h.Uid != w.Uid || h.Gid != w.Gid ||
			h.Linkname != w.Linkname || h.Devmajor != w.Devmajor || h.Devminor != w.Devminor || !h.ModTime.Equal(w.ModTime) {
			t.Errorf("%+v, want %+v", h, w)
		}
		if h.Name == "f" && (h.PAXRecords["SCHILY.xattr.user.a"] != "1" || h.PAXRecords["SCHILY.xattr.user.b"] != "2") {
			t.Errorf("its records are %v", h.PAXRecords)
		}
	}
	if _, err := r.Next(); !errors.Is(err, io.EOF) {
		t.Error(err)
	}
}

func TestTarRefused(t *testing.T) {
	said := failing(t, func(t testing.TB) {
		testutil.Tar(t, testutil.Member{Header: tar.Header{Name: "long", Size: 9}, Data: "short"})
	})
	if !strings.HasPrefix(said, `member "long": `) || !strings.Contains(said, "missed writing 4 bytes") {
		t.Errorf("it says %s", said)
	}
}
