package squashfs

import (
	"fmt"
	"sync"
	"sync/atomic"
)

// pipeline compresses blocks side by side and writes them in the order in which they were sent.
//
//	get → fill in → send ─┬→ work  → compress (Jobs goroutines) ─┐
//	                      └→ queue → write in order (1 goroutine) ┴→ back to get
//
// Blocks in flight are bounded by the number of blocks there are.
type pipeline struct {
	free  chan *block
	made  int // blocks made so far; used by the caller's goroutine only
	limit int
	size  int // of a block, in bytes

	queue chan *block
	work  chan *block
	wg    sync.WaitGroup

	out    Output
	pos    uint64 // where the next block goes; the writing goroutine's until wait
	high   uint64 // the highest position ever written
	failed atomic.Pointer[error]
}

// block is one block on its way, or an order to go back.
type block struct {
	in   []byte // what to compress; the capacity is a block
	buf  []byte // memory for the compressed form
	out  []byte // what goes to disk: buf or in
	err  error
	done chan struct{} // one token when out is there

	size   *uint32 // gets the size word
	start  *uint64 // gets the position, unless nil
	rewind *uint64 // instead of all that: the next block goes to this position, which was a start
}

func newPipeline(out Output, pos uint64, o Options) (*pipeline, error) {
	p := &pipeline{out: out, pos: pos, high: pos, size: o.blockSize, limit: 4*o.Jobs + holdBlocks(o.blockSize) + 4}
	p.free = make(chan *block, p.limit)
	p.queue = make(chan *block, 2*p.limit)
	p.work = make(chan *block, p.limit)
	comps := make([]compressor, o.Jobs)
	for i := range comps {
		var err error
		if comps[i], err = newCompressor(o); err != nil {
			return nil, err
		}
	}
	for _, c := range comps {
		p.wg.Add(1)
		go p.compress(c)
	}
	p.wg.Add(1)
	go p.write()
	return p, nil
}

// get returns an empty block, waiting for one if need be, or the error that stopped the writing.
func (p *pipeline) get() (*block, error) {
	if err := p.failed.Load(); err != nil {
		return nil, *err
	}
	select {
	case b := <-p.free:
		return b, nil
	default:
	}
	if p.made < p.limit {
		p.made++
		return &block{in: make([]byte, 0, p.size), buf: make([]byte, p.size), done: make(chan struct{}, 1)}, nil
	}
	return <-p.free, nil
}

// put gives a block back unsent.
func (p *pipeline) put(b *block) {
	*b = block{in: b.in[:0], buf: b.buf, done: b.done}
	p.free <- b
}

func (p *pipeline) send(b *block) {
	p.queue <- b
	p.work <- b
}

// goBack makes the next block overwrite what was written since the block that set *start.
func (p *pipeline) goBack(start *uint64) { p.queue <- &block{rewind: start} }

// wait ends the pipeline and returns the position behind the last block.
func (p *pipeline) wait() (pos, high uint64, err error) {
	close(p.queue)
	close(p.work)
	p.wg.Wait()
	if err := p.failed.Load(); err != nil {
		return 0, 0, *err
	}
	return p.pos, p.high, nil
}

func (p *pipeline) compress(c compressor) {
	defer p.wg.Done()
	for b := range p.work {
		var out []byte
		if out, b.err = c.compress(b.buf, b.in); out == nil {
			out = b.in
		}
		b.out = out
		b.done <- struct{}{}
	}
}

func (p *pipeline) write() {
	defer p.wg.Done()
	for b := range p.queue {
		if b.rewind != nil {
			p.pos = *b.rewind
			continue
		}
		<-b.done
		if p.failed.Load() == nil {
			if err := p.writeBlock(b); err != nil {
				p.failed.Store(&err)
			}
		}
		p.put(b)
	}
}

func (p *pipeline) writeBlock(b *block) error {
	if b.err != nil {
		return b.err
	}
	if _, err := p.out.WriteAt(b.out, int64(p.pos)); err != nil {
		return fmt.Errorf("write squashfs block: %w", err)
	}
	*b.size = uint32(len(b.out))
	if len(b.out) == len(b.in) {
		*b.size |= dataRaw
	}
	if b.start != nil {
		*b.start = p.pos
	}
	p.pos += uint64(len(b.out))
	p.high = max(p.high, p.pos)
	return nil
}

// holdBlocks is how many blocks of a file are held back until the file is known to be no duplicate.
func holdBlocks(blockSize int) int { return max(1, (1<<20)/blockSize) }
