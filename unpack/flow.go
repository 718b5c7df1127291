package unpack

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
)

// chunkSize is the unit in which decoded data travels from the decoders to the reader.
const chunkSize = 256 << 10

// chunk is a piece of decoded data, or the error that ended the decoding after it.
type chunk struct {
	data []byte
	err  error
	home chan []byte // where the buffer goes back to once it is read
}

// flow lets decoders run ahead of the reader of their output. Every decoder has a fixed number of
// buffers of its own: it stops when the reader does not keep up, and no other decoder can take them
// away, so that the one whose turn it is always gets on.
type flow struct {
	ctx    context.Context
	cancel context.CancelFunc
	parent context.Context

	mu    sync.Mutex
	order chan chan chunk // outputs in the order in which they are to be read
	wg    sync.WaitGroup

	// Of the reader alone.
	cur  chan chunk
	now  chunk
	rest []byte
	err  error
}

func newFlow(ctx context.Context, decoders int) *flow {
	f := &flow{parent: ctx, order: make(chan chan chunk, 2*decoders)}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// decoder is one producer of a flow, with its buffers.
type decoder struct {
	f    *flow
	free chan []byte
	left int // buffers not yet allocated
}

func (f *flow) newDecoder(chunks int) *decoder {
	return &decoder{f: f, free: make(chan []byte, chunks), left: chunks}
}

// begin takes the next place in the order of reading; next is called while nobody else takes one, and
// says whether there is anything left to decode.
func (d *decoder) begin(next func() bool) (chan chunk, bool) {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	if d.f.ctx.Err() != nil || !next() {
		return nil, false
	}
	out := make(chan chunk, cap(d.free)+1) // one more for the error: sending never blocks
	select {
	case d.f.order <- out:
		return out, true
	case <-d.f.ctx.Done():
		return nil, false
	}
}

// run reads r up to errDone into out, and closes out. It reports whether to go on; a failure has then been
// put into out, after the data before it.
func (d *decoder) run(r io.Reader, out chan chunk) bool {
	defer close(out)
	for {
		buf, err := d.buffer()
		if err != nil {
			out <- chunk{err: err}
			return false
		}
		n, err := io.ReadFull(r, buf)
		if err == nil || n > 0 {
			out <- chunk{data: buf[:n], home: d.free}
		} else {
			d.free <- buf
		}
		switch {
		case err == nil:
		case errors.Is(err, errDone):
			return true
		default:
			out <- chunk{err: err}
			return false
		}
	}
}

// errDone is how the readers that a decoder runs say that their data ends. io.EOF would not do:
// io.ReadFull makes io.ErrUnexpectedEOF of it, which is what decoders call truncated data.
var errDone = errors.New("end of data")

func (d *decoder) buffer() ([]byte, error) {
	select {
	case b := <-d.free:
		return b[:chunkSize], d.f.ctx.Err()
	default:
	}
	if d.left > 0 {
		d.left--
		return make([]byte, chunkSize), d.f.ctx.Err()
	}
	select {
	case b := <-d.free:
		return b[:chunkSize], nil
	case <-d.f.ctx.Done():
		return nil, d.f.ctx.Err()
	}
}

// start runs the decoders, and marks the end of the order when all of them are done.
func (f *flow) start(decoders ...func()) {
	var all sync.WaitGroup
	for _, run := range decoders {
		all.Add(1)
		f.wg.Add(1)
		go func() {
			defer f.wg.Done()
			defer all.Done()
			run()
		}()
	}
	f.wg.Add(1)
	go func() {
		defer f.wg.Done()
		all.Wait()
		close(f.order)
	}()
}

// Read implements io.Reader.
func (f *flow) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	for len(f.rest) == 0 {
		if f.err != nil {
			return 0, f.err
		}
		if f.now.home != nil {
			f.now.home <- f.now.data // has room for every buffer of its decoder
			f.now = chunk{}
		}
		f.now, f.err = f.take()
		f.rest = f.now.data
		if f.err != nil {
			f.cancel()
		}
	}
	n := copy(p, f.rest)
	f.rest = f.rest[n:]
	return n, nil
}

// take waits for the next chunk.
func (f *flow) take() (chunk, error) {
	for {
		if err := f.stopped(); err != nil {
			return chunk{}, err
		}
		if f.cur == nil {
			select {
			case out, ok := <-f.order:
				if !ok {
					if err := f.stopped(); err != nil {
						return chunk{}, err
					}
					return chunk{}, io.EOF
				}
				f.cur = out
			case <-f.ctx.Done():
				continue
			}
		}
		select {
		case c, ok := <-f.cur:
			if !ok {
				f.cur = nil
				continue
			}
			if err := f.stopped(); c.err != nil && err != nil {
				return chunk{}, err // the failure is a consequence
			}
			return c, c.err
		case <-f.ctx.Done():
		}
	}
}

// stopped says why there will be nothing more to read: cancelled or closed.
func (f *flow) stopped() error {
	if err := f.parent.Err(); err != nil {
		return err
	}
	if f.ctx.Err() != nil {
		return fs.ErrClosed
	}
	return nil
}

// stop ends the decoders; it may be called at any time, from any goroutine, again and again. wait waits
// for them.
func (f *flow) stop() { f.cancel() }
func (f *flow) wait() { f.wg.Wait() }
