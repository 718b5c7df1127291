package streams

import (
	"context"
	"io"
)

// WithContext returns a reader of r that fails with the context's error once ctx has ended. It is checked before each
// call: a Read that blocks in r is not interrupted.
func WithContext(ctx context.Context, r io.Reader) io.Reader { return &contextReader{ctx, r} }

type contextReader struct {
	ctx context.Context // lives as long as the stream
	r   io.Reader
}

func (r *contextReader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := r.r.Read(p)
	if err != nil && r.ctx.Err() != nil {
		err = r.ctx.Err() // the failure is a consequence
	}
	return n, err
}
