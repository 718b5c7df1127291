package streams

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"sync"
)

// ChunkSize is the unit in which data travels from the decoders of a [Flow] to its reader, in bytes.
const ChunkSize = 256 << 10

// chunk is a piece of decoded data, or the error that ended the decoding after it.
type chunk struct {
	data []byte
	err  error
	home chan []byte // where the buffer goes back to once it is read
}

// Flow lets decoders run ahead of the reader of their output, each in a goroutine of its own. Every [Decoder] has a
// fixed number of buffers: it stops when the reader does not keep up, and no other can take them away, so that the
// one whose turn it is always gets on.
//
//	decoder 1  ── Begin: place 1 ── Run ──┐
//	decoder 2  ── Begin: place 2 ── Run ──┼── Read: place 1, place 2, place 3
//	decoder 1  ── Begin: place 3 ── Run ──┘
type Flow struct {
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

// NewFlow makes a flow of that many decoders. It ends with ctx; the caller ends it with Stop and Wait in any case.
func NewFlow(ctx context.Context, decoders int) *Flow {
	f := &Flow{parent: ctx, order: make(chan chan chunk, 2*decoders)}
	f.ctx, f.cancel = context.WithCancel(ctx)
	return f
}

// Decoder is one producer of a [Flow], with its buffers.
type Decoder struct {
	f    *Flow
	free chan []byte
	left int // buffers not yet allocated
}

// NewDecoder makes a producer that puts up to chunks pieces of [ChunkSize] aside.
func (f *Flow) NewDecoder(chunks int) *Decoder {
	return &Decoder{f: f, free: make(chan []byte, chunks), left: chunks}
}

// A Place is one in the order of reading.
type Place struct{ out chan chunk }

// Begin takes the next place in the order of reading; next is called while nobody else takes one, and
// says whether there is anything left to decode.
func (d *Decoder) Begin(next func() bool) (Place, bool) {
	d.f.mu.Lock()
	defer d.f.mu.Unlock()
	if d.f.ctx.Err() != nil || !next() {
		return Place{}, false
	}
	out := make(chan chunk, cap(d.free)+1) // one more for the error: sending never blocks
	select {
	case d.f.order <- out:
		return Place{out}, true
	case <-d.f.ctx.Done():
		return Place{}, false
	}
}

// Run reads r up to [ErrDone] into a place, and closes it. It reports whether to go on; otherwise a failure has been put
// there, after the data before it.
func (d *Decoder) Run(r io.Reader, p Place) bool {
	out := p.out
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
		case errors.Is(err, ErrDone):
			return true
		default:
			out <- chunk{err: err}
			return false
		}
	}
}

// ErrDone is how the readers that a [Decoder] runs say that their data ends. io.EOF would not do:
// io.ReadFull makes io.ErrUnexpectedEOF of it, which is what decoders call truncated data.
var ErrDone = errors.New("end of data")

func (d *Decoder) buffer() ([]byte, error) {
	select {
	case b := <-d.free:
		return b[:ChunkSize], d.f.ctx.Err()
	default:
	}
	if d.left > 0 {
		d.left--
		return make([]byte, ChunkSize), d.f.ctx.Err()
	}
	select {
	case b := <-d.free:
		return b[:ChunkSize], nil
	case <-d.f.ctx.Done():
		return nil, d.f.ctx.Err()
	}
}

// StartOne runs the only decoder of a flow: it reads r, up to io.EOF, chunks pieces ahead.
func (f *Flow) StartOne(chunks int, r io.Reader) {
	f.Start(func() {
		d := f.NewDecoder(chunks)
		if place, ok := d.Begin(func() bool { return true }); ok {
			d.Run(&untilDone{r: r}, place)
		}
	})
}

// Start runs the decoders, and marks the end of the order when all of them are done.
func (f *Flow) Start(decoders ...func()) {
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
func (f *Flow) Read(p []byte) (int, error) {
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
func (f *Flow) take() (chunk, error) {
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
func (f *Flow) stopped() error {
	if err := f.parent.Err(); err != nil {
		return err
	}
	if f.ctx.Err() != nil {
		return fs.ErrClosed
	}
	return nil
}

// Stop ends the decoders; it may be called at any time, from any goroutine, again and again.
func (f *Flow) Stop() { f.cancel() }

// Wait waits for the decoders to end.
func (f *Flow) Wait() { f.wg.Wait() }

// untilDone ends with ErrDone where its source ends, and does not take part in a source's standing still.
type untilDone struct {
	r    io.Reader
	idle int
}

func (u *untilDone) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	if n > 0 {
		u.idle = 0
	} else if u.idle++; u.idle > 100 && err == nil {
		err = io.ErrNoProgress
	}
	if errors.Is(err, io.EOF) {
		err = ErrDone
	}
	return n, err
}
