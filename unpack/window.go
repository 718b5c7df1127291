package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// windowSize is how much of the stream is held at a time, in bytes. Only headers can make it grow, up
// to the bounds in header.go.
const windowSize = 1 << 20

// firstWindow is how much is held at first: small streams need no more.
const firstWindow = 64 << 10

// window moves a stream from src to dst through one buffer, in which headers are read in place:
//
//	0       out       head      pos       end
//	| gone  | kept,   | header, | read,   |
//	|       | to be   | not yet | not yet |
//	|       | written | decided | parsed  |
//
// What is kept is written as it was read, in pieces as large as they come.
type window struct {
	ctx  context.Context
	src  io.Reader
	dst  io.Writer
	buf  []byte
	base int64 // offset in src of buf[0]

	out, head, pos, end int

	limit  int64 // on the length of src
	eof    bool
	failed bool // src returned an error
}

func newWindow(ctx context.Context, dst io.Writer, src io.Reader, limit int64) *window {
	return &window{ctx: ctx, src: src, dst: dst, buf: make([]byte, firstWindow), limit: limit}
}

// off is the offset in src of what is parsed next; headOff that of the undecided header.
func (w *window) off() int64     { return w.base + int64(w.pos) }
func (w *window) headOff() int64 { return w.base + int64(w.head) }

// need returns the next n bytes without passing them. At the end of src it returns what is left, and
// io.EOF. The bytes are valid until the next call of any method.
func (w *window) need(n int) ([]byte, error) {
	for w.end-w.pos < n {
		if w.eof {
			return w.buf[w.pos:w.end], io.EOF
		}
		if w.pos+n > len(w.buf) || w.end == len(w.buf) {
			if err := w.shift(n); err != nil {
				return nil, err
			}
		}
		if err := w.fill(); err != nil {
			return nil, err
		}
	}
	return w.buf[w.pos : w.pos+n], nil
}

// shift makes room for n bytes after pos: what is decided leaves, and the rest moves to the front.
func (w *window) shift(n int) error {
	if err := w.flush(); err != nil {
		return err
	}
	from := w.buf[w.head:w.end]
	if want := w.pos - w.head + n; want > len(w.buf) || len(w.buf) < windowSize {
		w.buf = make([]byte, max(want, 2*len(w.buf), windowSize))
	}
	copy(w.buf, from)
	w.base += int64(w.head)
	w.pos -= w.head
	w.end -= w.head
	w.out, w.head = 0, 0
	return nil
}

// fill reads once into the free end of the buffer.
func (w *window) fill() error {
	if err := w.ctx.Err(); err != nil {
		return err
	}
	for range 100 { // as bufio does: a reader may return nothing now and then, but not for ever
		n, err := w.src.Read(w.buf[w.end:])
		w.end += n
		if w.base+int64(w.end) > w.limit {
			return fmt.Errorf("tar stream %w: it is longer than the limit of %d bytes", errHostile, w.limit)
		}
		if errors.Is(err, io.EOF) {
			w.eof = true
			return nil
		}
		if err != nil {
			w.failed = true
			return fmt.Errorf("read the tar stream: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
	return fmt.Errorf("read the tar stream: %w", io.ErrNoProgress)
}

// flush writes what is decided to be kept.
func (w *window) flush() error {
	if w.out == w.head {
		return nil
	}
	b := w.buf[w.out:w.head]
	n, err := w.dst.Write(b)
	w.out += n
	if err == nil && n < len(b) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("write the tar stream: %w", err)
	}
	return nil
}

// keep decides that everything up to pos goes to dst.
func (w *window) keep() { w.head = w.pos }

// drop decides that what is undecided up to pos does not.
func (w *window) drop() error {
	if err := w.flush(); err != nil {
		return err
	}
	w.out, w.head = w.pos, w.pos
	return nil
}

// pass moves n bytes of data on: to dst, or away. Nothing may be undecided. It returns
// io.ErrUnexpectedEOF if src ends before that.
func (w *window) pass(n int64, keep bool) error {
	for {
		step := min(n, int64(w.end-w.pos))
		w.pos += int(step)
		n -= step
		if keep {
			w.keep()
		} else if err := w.drop(); err != nil {
			return err
		}
		if n == 0 {
			return nil
		}
		if w.eof {
			return io.ErrUnexpectedEOF
		}
		if err := w.more(); err != nil {
			return err
		}
	}
}

// more reads on where everything read is passed.
func (w *window) more() error {
	if err := w.shift(0); err != nil {
		return err
	}
	return w.fill()
}
