package sif

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"github.com/opencontainers/go-digest"
)

// errStop ends eachMember before the end of the layer, without an error.
var errStop = errors.New("stop")

// eachMember calls f for each member of the layer. Members are counted from 0, whatever they are.
func eachMember(ctx context.Context, l Layer, want digest.Digest, onRead func(int), f func(seq uint32, hdr *tar.Header, data io.Reader) error) (err error) {
	rc, err := l.Open()
	if err != nil {
		return err
	}
	s, err := newStream(rc, want, onRead)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, s.Close()) }()
	tr := tar.NewReader(s)
	for seq := uint32(0); ; seq++ {
		if err := ctx.Err(); err != nil {
			return err
		}
		hdr, err := tr.Next()
		if errors.Is(err, io.EOF) {
			return s.finish()
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // names are checked where they are used
			return fmt.Errorf("read member %d: %w", seq, err)
		}
		if seq == math.MaxUint32 {
			return errTooManyPaths
		}
		if hdr.Typeflag == tar.TypeXGlobalHeader {
			continue
		}
		if err := f(seq, hdr, contextReader{ctx, tr}); errors.Is(err, errStop) {
			return nil
		} else if err != nil {
			return fmt.Errorf("member %q: %w", hdr.Name, err)
		}
	}
}

// A contextReader fails once its context has ended: the holes of one sparse member can be terabytes.
type contextReader struct {
	ctx context.Context //nolint:containedctx // the reader lives for one call, which was given the context
	r   io.Reader
}

func (c contextReader) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	return c.r.Read(p)
}
