package unpack

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"xtoo/internal/streams"
	"xtoo/internal/streams/packed"
	"xtoo/internal/streams/xz"
)

// minChunks is the least number of buffers of a decoder: one being filled, one being read, and some
// between.
const minChunks = 8

// openXZ decodes an .xz file block by block, or returns [errXZComplex] where it is to be decoded from front to back.
func openXZ(ctx context.Context, file *os.File, size int64, o OpenOptions) (*streams.Flow, error) {
	blocks, err := readXZIndex(file, size)
	if err != nil {
		return nil, err
	}
	dict, err := readDicts(file, blocks)
	if err != nil {
		return nil, err
	}
	if dict > packed.MaxWindow {
		return nil, packed.XZDictionary(dict)
	}
	return openXZBlocks(ctx, file, blocks, dict, o), nil
}

// planXZ says how many decoders fit into the memory, and how many chunks each may hold. A decoder has
// what xz.Memory says and its share of decoded data. To keep n decoders busy, each must be able to put most
// of a block aside: while one gives its block out, the others are that much further with theirs.
func planXZ(blocks []xzBlock, dict int64, o OpenOptions) (decoders, chunks int) {
	var largest int64
	for _, b := range blocks {
		largest = max(largest, b.size)
	}
	largest = largest/streams.ChunkSize + 1
	for n := int64(min(o.Jobs, len(blocks))); n > 1; n-- {
		share := (o.memory/n - xz.Memory(dict)) / streams.ChunkSize
		if share >= largest-largest/n+minChunks {
			// Room beyond one block lets a decoder begin the next one while a slow one holds it up.
			return int(n), int(min(share, largest+largest/4+minChunks))
		}
	}
	return 1, minChunks
}

// openXZBlocks decodes blocks side by side. Each goes to a decoder as an xz stream of its own, so that
// its check and its sizes are verified.
func openXZBlocks(ctx context.Context, file io.ReaderAt, blocks []xzBlock, dict int64, o OpenOptions) *streams.Flow {
	n, chunks := planXZ(blocks, dict, o)
	o.Log.Debug("xz: reading block by block", "blocks", len(blocks), "decoders", n,
		slog.Int64("memory", int64(n)*(xz.Memory(dict)+int64(chunks)*streams.ChunkSize)))
	f := streams.NewFlow(ctx, n)
	next := 0
	work := func() {
		d := f.NewDecoder(chunks)
		var z *xz.Reader
		for {
			var b xzBlock
			out, ok := d.Begin(func() bool {
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
			if !d.Run(r, out) {
				return
			}
		}
	}
	workers := make([]func(), n)
	for i := range workers {
		workers[i] = work
	}
	f.Start(workers...)
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
		if src := r.block.stream(r.file); *r.z == nil {
			*r.z = xz.NewReader(src, r.dict)
		} else {
			(*r.z).Reset(src)
		}
	}
	n, err := (*r.z).Read(p)
	r.done += int64(n)
	switch {
	case r.done > r.block.size, errors.Is(err, io.EOF) && r.done != r.block.size:
		return 0, r.failed(errors.New("the block's size is not the one in the index"))
	case errors.Is(err, io.EOF):
		return n, streams.ErrDone
	case err != nil:
		return n, r.failed(err)
	}
	return n, nil
}

func (r *xzBlockReader) failed(err error) error {
	if known := packed.XZUnsupported(err); known != nil {
		return known
	}
	var onDisk *fs.PathError
	if errors.As(err, &onDisk) {
		return err
	}
	return packed.AtByte(errCorrupt, packed.XZ, r.block.off, fmt.Sprintf("the block there does not decode: %v", err))
}
