package streams

import (
	"context"
	"hash"
	"io"
)

// aheadChunks is how many chunks a stream is read ahead.
const aheadChunks = 16

// Ahead reads a stream in a goroutine of its own, up to 4 MiB ahead of its reader.
type Ahead struct {
	flow *Flow
	src  io.ReadCloser
}

// ReadAhead starts reading src, which Close closes. What is read is written to sum, unless it is nil: once Read has
// returned io.EOF it has all of the stream. Reading ends with ctx; a Read of src that blocks is not interrupted.
func ReadAhead(ctx context.Context, src io.ReadCloser, sum hash.Hash) *Ahead {
	a := &Ahead{flow: NewFlow(ctx, 1), src: src}
	var r io.Reader = src
	if sum != nil {
		r = io.TeeReader(src, sum)
	}
	a.flow.StartOne(aheadChunks, r)
	return a
}

// Read implements io.Reader.
func (a *Ahead) Read(p []byte) (int, error) { return a.flow.Read(p) }

// Close ends the goroutine and closes the source.
func (a *Ahead) Close() error {
	a.flow.Stop()
	a.flow.Wait()
	return a.src.Close()
}
