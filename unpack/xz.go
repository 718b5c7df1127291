package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/mikelolasagasti/xz"
)

// minChunks is the least number of buffers of a decoder: one being filled, one being read, and some
// between.
const minChunks = 8

// openXZ decodes an .xz file: side by side where it can be, else from front to back.
func openXZ(ctx context.Context, file *os.File, size int64, o OpenOptions) (*flow, error) {
	if size < 0 {
		return openXZStream(ctx, file), nil
	}
	blocks, err := readXZIndex(file, size)
	if errors.Is(err, errXZComplex) {
		o.Log.Debug("xz: reading from front to back", "why", err)
		return openXZStream(ctx, file), nil
	}
	if err != nil {
		return nil, err
	}
	dict, err := readDicts(file, blocks)
	if err != nil {
		return nil, err
	}
	if dict > maxDict {
		return nil, errDict(dict)
	}
	return openXZBlocks(ctx, file, blocks, dict, o), nil
}

func errDict(dict int64) error {
	what := "more"
	if dict > 0 {
		what = fmt.Sprintf("%d MiB", dict>>20)
	}
	return fmt.Errorf("xz data needs a dictionary of %s, the limit is %d MiB: %w", what, maxDict>>20, ErrUnsupported)
}

// planXZ says how many decoders fit into the memory, and how many chunks each may hold. A decoder has
// its dictionary and its share of decoded data. To keep n decoders busy, each must be able to put most
// of a block aside: while one gives its block out, the others are that much further with theirs.
func planXZ(blocks []xzBlock, dict int64, o OpenOptions) (decoders, chunks int) {
	var largest int64
	for _, b := range blocks {
		largest = max(largest, b.size)
	}
	largest = largest/chunkSize + 1
	for n := int64(min(o.Jobs, len(blocks))); n > 1; n-- {
		share := (o.Memory/n - dict) / chunkSize
		if share >= largest-largest/n+minChunks {
			// Room beyond one block lets a decoder begin the next one while a slow one holds it up.
			return int(n), int(min(share, largest+largest/4+minChunks))
		}
	}
	return 1, minChunks
}

// openXZBlocks decodes blocks side by side. Each goes to a decoder as an xz stream of its own, so that
// the library verifies its check and its sizes.
func openXZBlocks(ctx context.Context, file io.ReaderAt, blocks []xzBlock, dict int64, o OpenOptions) *flow {
	n, chunks := planXZ(blocks, dict, o)
	o.Log.Debug("xz: reading block by block", "blocks", len(blocks), "decoders", n,
		slog.Int64("memory", int64(n)*(dict+int64(chunks)*chunkSize)))
	f := newFlow(ctx, n)
	next := 0
	work := func() {
		d := f.newDecoder(chunks)
		var z *xz.Reader
		for {
			var b xzBlock
			out, ok := d.begin(func() bool {
				if next == len(blocks) {
					return false
				}
				b = blocks[next]
				next++
				return true
			})
			if !ok {
				return
			}
			r := &xzBlockReader{block: b, file: file, z: &z, dict: dict}
			if !d.run(r, out) {
				return
			}
		}
	}
	workers := make([]func(), n)
	for i := range workers {
		workers[i] = work
	}
	f.start(workers...)
	return f
}

// xzBlockReader decodes one block with a decoder that is kept from block to block, for its dictionary.
type xzBlockReader struct {
	block xzBlock
	file  io.ReaderAt
	z     **xz.Reader
	dict  int64
	begun bool
	done  int64
}

func (r *xzBlockReader) Read(p []byte) (int, error) {
	if !r.begun {
		r.begun = true
		var err error
		if src := r.block.stream(r.file); *r.z == nil {
			*r.z, err = xz.NewReader(src, uint32(r.dict))
		} else {
			err = (*r.z).Reset(src)
		}
		if err != nil {
			return 0, r.failed(err)
		}
	}
	n, err := (*r.z).Read(p)
	r.done += int64(n)
	switch {
	case r.done > r.block.size, errors.Is(err, io.EOF) && r.done != r.block.size:
		return 0, r.failed(errors.New("the block's size is not the one in the index"))
	case errors.Is(err, io.EOF):
		return n, errDone
	case err != nil:
		return n, r.failed(err)
	}
	return n, nil
}

func (r *xzBlockReader) failed(err error) error {
	if known := xzUnsupported(err); known != nil {
		return known
	}
	var onDisk *fs.PathError
	if errors.As(err, &onDisk) {
		return err
	}
	return atByte(ErrCorrupt, FormatXZ, r.block.off, fmt.Sprintf("the block there does not decode: %v", err))
}

// openXZStream decodes from front to back, whatever the file is made of, in bounded memory.
func openXZStream(ctx context.Context, file io.Reader) *flow {
	return openStream(ctx, FormatXZ, file, func(in io.Reader) (io.Reader, func(), error) {
		z, err := xz.NewReader(in, maxDict)
		return z, nil, err
	}, func(err error) error {
		if known := xzUnsupported(err); known != nil {
			return known
		}
		if errors.Is(err, xz.ErrBuf) {
			return ErrTruncated
		}
		return ErrCorrupt
	})
}

// xzUnsupported picks out what the library cannot do, as opposed to what is wrong.
func xzUnsupported(err error) error {
	switch {
	case errors.Is(err, xz.ErrMemlimit):
		return errDict(0)
	case errors.Is(err, xz.ErrOptions):
		return fmt.Errorf("xz data uses a filter or flag that is unknown here: %w", ErrUnsupported)
	case errors.Is(err, xz.ErrUnsupportedCheck):
		return fmt.Errorf("xz data uses an unknown kind of check: %w", ErrUnsupported)
	}
	return nil
}
