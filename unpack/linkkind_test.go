package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"io"
	"testing"

	"xtoo/internal/testutil"
)

// TestHardLinksToOtherKinds: symbolic links, devices and fifos may have several names, too, and an excluded one of them
// lives on under the others.
func TestHardLinksToOtherKinds(t *testing.T) {
	stream := testutil.Tar(t,
		testutil.Symlink("./sym", "there").WithOwner(7, 0),
		testutil.Device("./dev", tar.TypeChar, 5, 1).WithMode(0o600),
		testutil.Device("./fifo", tar.TypeFifo, 0, 0).WithMode(0o600),
		testutil.Link("./sym2", "./sym"),
		testutil.Link("./dev2", "./dev"),
		testutil.Link("./fifo2", "./fifo"),
	)
	var same bytes.Buffer
	if _, err := Copy(context.Background(), &same, bytes.NewReader(stream), CopyOptions{}); err != nil || !bytes.Equal(same.Bytes(), stream) {
		t.Fatalf("not passed on as it is: %v", err)
	}
	var out bytes.Buffer
	_, err := Copy(context.Background(), &out, bytes.NewReader(stream), CopyOptions{
		Exclude: []string{"/sym", "/dev", "/fifo"},
		Reopen:  func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(stream)), nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]tar.Header{
		"./sym2":  {Typeflag: tar.TypeSymlink, Linkname: "there", Uid: 7},
		"./dev2":  {Typeflag: tar.TypeChar, Devmajor: 5, Devminor: 1},
		"./fifo2": {Typeflag: tar.TypeFifo},
	}
	members := testutil.ReadTar(t, out.Bytes())
	for _, h := range members {
		x := want[h.Name]
		if h.Typeflag != x.Typeflag || h.Linkname != x.Linkname || h.Uid != x.Uid || h.Devmajor != x.Devmajor || h.Devminor != x.Devminor {
			t.Errorf("%s is %+v", h.Name, h.Header)
		}
	}
	if len(members) != len(want) {
		t.Errorf("%d members, want %d", len(members), len(want))
	}
}
