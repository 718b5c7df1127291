package unpack

import (
	"bytes"
	"context"
	"io"
	"testing"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/testutil"
)

// TestGoldenStage3: the layer that a stage3 becomes, whole and with members left out, a hard link's target among them.
func TestGoldenStage3(t *testing.T) {
	stage3 := testutil.GoldenTar(t, false)
	open := func(context.Context) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(stage3)), nil }
	layer := func(exclude ...string) digest.Digest {
		var b bytes.Buffer
		if _, err := Copy(t.Context(), &b, bytes.NewReader(stage3), CopyOptions{Exclude: exclude, Reopen: open}); err != nil {
			t.Fatal(err)
		}
		return digest.FromBytes(b.Bytes())
	}
	testutil.Golden(t, "stage3-whole", layer())
	testutil.Golden(t, "stage3-excluded", layer("/usr/bin/ping", "/dev/*", "/usr/n*", "/etc/acl.d"))
}
