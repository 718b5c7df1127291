package merge

import (
	"context"
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/streams"
	"xtoo/layers"
)

// errStop ends eachMember before the end of the layer, without an error.
var errStop = errors.New("stop")

// errDigest: a layer's content is not what its diff id says.
var errDigest = errors.New("the content is not what the diff id says")

// eachMember calls f for each member of the layer, counted from 0, and compares a digest that is not empty.
func eachMember(ctx context.Context, l Layer, want digest.Digest, f func(seq uint32, m *layers.Member, data io.Reader) error) (err error) {
	var sum hash.Hash
	if want != "" {
		if err := want.Validate(); err != nil {
			return fmt.Errorf("diff id %q: %w", want, err)
		}
		sum = want.Algorithm().Hash()
	}
	rc, err := l.Open()
	if err != nil {
		return err
	}
	// Decompressing and checking the digest go on while the sink is busy with the members before.
	ahead := streams.ReadAhead(ctx, rc, sum)
	defer func() { err = errors.Join(err, ahead.Close()) }()
	in := layers.NewReader(ctx, ahead)
	for seq := uint32(0); ; seq++ {
		m, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if err := f(seq, m, in); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return fmt.Errorf("entry %q: %w", m.Name, err)
		}
	}
	if sum != nil {
		if got := digest.NewDigest(want.Algorithm(), sum); got != want {
			return fmt.Errorf("%w: %s, but it is %s", errDigest, want, got)
		}
	}
	return nil
}
