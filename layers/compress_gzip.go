package layers

import (
	"errors"
	"io"
	"sync"

	"github.com/klauspost/pgzip"
)

// gzipBlock is how much each core compresses at a time. It is part of the format: with another one
// the same layer has other bytes.
const gzipBlock = 1 << 20

// gzipLevel is part of the format for the same reason.
const gzipLevel = 6

// smallStream is what a stream must be shorter than to be compressed as a whole, with small buffers. The bytes are the same:
// what is shorter than a block is not divided, whatever the length of a block.
const smallStream = 64 << 10

// smallGzips are writers of blocks of smallStream whose streams have ended well. For a node that changes one file, to make one
// costs more than all that it compresses.
var smallGzips sync.Pool

// A gzipWriter keeps the beginning of a stream until it knows whether that is all.
type gzipWriter struct {
	w      io.Writer
	jobs   int
	head   []byte        // shorter than smallStream
	z      *pgzip.Writer // nil until the stream is long
	closed bool
}

func (g *gzipWriter) Write(p []byte) (int, error) {
	if g.closed {
		return 0, errors.New("compress: the stream has ended")
	}
	if g.z != nil {
		return g.z.Write(p)
	}
	if len(g.head)+len(p) < smallStream {
		g.head = append(g.head, p...)
		return len(p), nil
	}
	z, err := pgzip.NewWriterLevel(g.w, gzipLevel)
	if err != nil {
		return 0, err
	}
	if err := z.SetConcurrency(gzipBlock, g.jobs); err != nil {
		return 0, err
	}
	g.z = z
	if _, err := z.Write(g.head); err != nil {
		return 0, err
	}
	g.head = nil
	return z.Write(p)
}

// Close ends the stream. Only the first call does something.
func (g *gzipWriter) Close() error {
	if g.closed {
		return nil
	}
	g.closed = true
	if g.z != nil {
		return g.z.Close()
	}
	z, ok := smallGzips.Get().(*pgzip.Writer)
	if !ok {
		var err error
		if z, err = pgzip.NewWriterLevel(g.w, gzipLevel); err != nil {
			return err
		}
	}
	z.Reset(g.w)
	err := z.SetConcurrency(smallStream, 1)
	if err == nil {
		_, err = z.Write(g.head)
	}
	if err = errors.Join(err, z.Close()); err != nil {
		return err
	}
	z.Reset(io.Discard) // it may wait for long, and not with the caller's file
	smallGzips.Put(z)
	return nil
}
