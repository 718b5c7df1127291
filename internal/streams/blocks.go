package streams

import (
	"bytes"
	"errors"
	"io"
)

// A Packer compresses one block after another: each into bytes that stand for it alone.
type Packer interface {
	// Pack writes the compressed block to out.
	Pack(out *bytes.Buffer, block []byte) error
}

// Blocks divides a stream into blocks of a fixed size. Each is compressed in a goroutine of its own, which ends by itself;
// whoever writes to it writes them to W in their order. So the bytes do not depend on Jobs. The fields are set before the first
// Write.
type Blocks struct {
	W io.Writer
	// Size of a block, the last one's apart. It is part of the format: with another one the same stream has other bytes.
	Size int
	// Jobs is how many blocks are in work at a time, at least 1.
	Jobs int
	// NewPacker makes one for each block in work; they are used again.
	NewPacker func() (Packer, error)

	next   *block // is being filled
	work   []*block
	spare  []*block
	idle   []Packer
	err    error
	closed bool
}

// A block is a part of the stream on its way.
type block struct {
	packer Packer
	in     []byte
	out    bytes.Buffer
	done   chan error
}

// Write takes the next bytes. A block is begun when there is something for it, so that a short stream is one block.
func (b *Blocks) Write(p []byte) (int, error) {
	if b.closed {
		return 0, errors.New("compress: the stream has ended")
	}
	written := 0
	for len(p) > 0 && b.err == nil {
		if b.next != nil && len(b.next.in) == b.Size {
			b.begin()
			continue
		}
		if b.next == nil {
			b.next = b.newBlock()
		}
		n := min(len(p), b.Size-len(b.next.in))
		b.next.in = append(b.next.in, p[:n]...)
		p, written = p[n:], written+n
	}
	return written, b.err
}

// begin compresses what is full, once there are few enough in work.
func (b *Blocks) begin() {
	if len(b.work) == b.Jobs {
		b.finishOne()
	}
	f := b.next
	b.next = nil
	if f.packer, b.err = b.packer(); b.err != nil {
		return
	}
	b.work = append(b.work, f)
	go func() { f.done <- f.packer.Pack(&f.out, f.in) }()
}

// finishOne waits for the oldest block and writes it.
func (b *Blocks) finishOne() {
	f := b.work[0]
	b.work = b.work[1:]
	b.err = errors.Join(b.err, <-f.done)
	if b.err == nil {
		_, b.err = b.W.Write(f.out.Bytes())
	}
	b.idle, b.spare = append(b.idle, f.packer), append(b.spare, f)
	f.packer = nil
}

func (b *Blocks) packer() (Packer, error) {
	if n := len(b.idle); n > 0 {
		p := b.idle[n-1]
		b.idle = b.idle[:n-1]
		return p, nil
	}
	return b.NewPacker()
}

func (b *Blocks) newBlock() *block {
	if n := len(b.spare); n > 0 {
		f := b.spare[n-1]
		b.spare = b.spare[:n-1]
		f.in = f.in[:0]
		f.out.Reset()
		return f
	}
	return &block{done: make(chan error, 1)}
}

// Close ends the stream; W stays the caller's. After an error of Write it waits for what is in work. Only the first call does
// something.
func (b *Blocks) Close() error {
	if b.closed {
		return nil
	}
	b.closed = true
	if b.err == nil && b.next != nil {
		b.begin()
	}
	for len(b.work) > 0 {
		b.finishOne()
	}
	b.next, b.spare, b.idle = nil, nil, nil
	return b.err
}

// Abort ends what is not wanted any more, without waiting for what is in work. After Close it does nothing.
func (b *Blocks) Abort() {
	b.closed = true
	b.next, b.work, b.spare, b.idle = nil, nil, nil, nil
}
