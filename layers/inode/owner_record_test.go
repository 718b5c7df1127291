package inode

import (
	"testing"

	rootlesscontainers "github.com/rootless-containers/proto/go-proto"
	"google.golang.org/protobuf/proto"
)

// TestEncodeOwner: records are those of umoci and PRoot, byte for byte.
func TestEncodeOwner(t *testing.T) {
	for _, o := range []owner{{}, {1, 0}, {0, 1}, {1000, 100}, {127, 128}, {noID, 5}, {7, noID}, {1<<31 - 2, 1 << 31}} {
		want, err := proto.MarshalOptions{Deterministic: true}.Marshal(&rootlesscontainers.Resource{Uid: o.uid, Gid: o.gid})
		if err != nil {
			t.Fatal(err)
		}
		if got := o.encode(); string(got) != string(want) {
			t.Errorf("%v: %x, want %x", o, got, want)
		}
		if back, err := parseOwner(o.encode()); err != nil || back != o {
			t.Errorf("%v: read back as %v, %v", o, back, err)
		}
	}
}
