package unpack

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"

	"xtoo/internal/streams"
)

// linkGroup is a file (or symbolic link, device, fifo) of several names, at least one of which is excluded.
type linkGroup struct {
	name string // of the excluded file itself
	kind byte   // its type flag
	off  int64  // of it in the stream
	kept string // a name that is in the output; "" as long as there is none
}

// relinker gives hard links to excluded members something to stand for.
type relinker struct {
	out    *countWriter
	reopen func(context.Context) (io.ReadCloser, error)
	groups map[key]*linkGroup // by excluded name

	again io.ReadCloser    // the stream once more
	in    *streams.Counter // what has been read of it. archive/tar takes no more than it needs
}

// link remembers an excluded hard link.
func (r *relinker) link(id, target key, targetName string) {
	g := r.groups[target]
	if g == nil { // the target is kept
		g = &linkGroup{kept: targetName}
	}
	r.groups[id] = g
}

// write writes the member that takes the place of a hard link to the excluded target: the target itself
// under the link's name or, from the second time on, a link to the first. It returns what it wrote, and
// the first bytes of its data.
func (r *relinker) write(ctx context.Context, link *tar.Header, target key) (*tar.Header, []byte, error) {
	g := r.groups[target]
	if g == nil {
		return nil, nil, errors.New("no trace of that member") // cannot be: all excluded files have one
	}
	if g.kept != "" {
		h := *link
		h.Linkname = g.kept
		h.Format = tar.FormatPAX
		return &h, nil, tar.NewWriter(r.out).WriteHeader(&h)
	}
	if r.reopen == nil {
		return nil, nil, errors.New("the contents are excluded and the stream cannot be read again")
	}
	if err := r.seek(ctx, g.off); err != nil {
		return nil, nil, err
	}
	tr := tar.NewReader(r.in)
	h, err := tr.Next()
	if err != nil {
		return nil, nil, fmt.Errorf("read %q again: %w", g.name, streams.NoEOF(err))
	}
	if h.Name != g.name || h.Typeflag != g.kind {
		return nil, nil, fmt.Errorf("read %q again: %w: the stream is not the same as before", g.name, ErrCorrupt)
	}
	h.Name = link.Name
	if h.Typeflag == tar.TypeGNUSparse {
		h.Typeflag = tar.TypeReg // its holes are filled
	}
	h.Format = tar.FormatPAX // has room for whatever the member says
	head, err := r.copyFile(ctx, h, tr)
	if err != nil {
		return nil, nil, fmt.Errorf("copy %q: %w", g.name, err)
	}
	g.kept = link.Name
	return h, head, nil
}

// copyFile writes one regular member.
func (r *relinker) copyFile(ctx context.Context, h *tar.Header, data io.Reader) ([]byte, error) {
	tw := tar.NewWriter(r.out)
	if err := tw.WriteHeader(h); err != nil {
		return nil, err
	}
	head := make([]byte, min(h.Size, elfHead))
	if _, err := io.ReadFull(data, head); err != nil {
		return nil, streams.NoEOF(err)
	}
	if _, err := tw.Write(head); err != nil {
		return nil, err
	}
	// The wrapping keeps io.CopyBuffer from doing without the buffer, and the context in sight.
	src := struct{ io.Reader }{streams.WithContext(ctx, data)}
	if _, err := io.CopyBuffer(struct{ io.Writer }{tw}, src, make([]byte, streams.ChunkSize)); err != nil {
		return nil, streams.NoEOF(err)
	}
	return head, tw.Flush() // the padding; the end of the archive is not written here
}

// seek brings the second reading of the stream to off. It goes on from where it is if it can.
func (r *relinker) seek(ctx context.Context, off int64) error {
	if r.again != nil && off < r.in.N {
		if err := r.close(); err != nil {
			return err
		}
	}
	if r.again == nil {
		again, err := r.reopen(ctx)
		if err != nil {
			return fmt.Errorf("read the stream again: %w", err)
		}
		r.again, r.in = again, &streams.Counter{R: again}
	}
	if _, err := io.CopyN(io.Discard, streams.WithContext(ctx, r.in), off-r.in.N); err != nil {
		return fmt.Errorf("read the stream again: %w", streams.NoEOF(err))
	}
	return nil
}

func (r *relinker) close() error {
	if r.again == nil {
		return nil
	}
	err := r.again.Close()
	r.again = nil
	return err
}
