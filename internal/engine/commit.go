package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"xtoo/chroot"
	"xtoo/layers/tree"
)

// commit turns the upper directory of a node that has ended into a layer: a stage reads it and writes the tar stream,
// which is hashed and compressed here, as it comes. holder is the directory that holds the upper one.
func (b *build) commit(ctx context.Context, c *chain, holder string, st nodeState) (rec NodeRecord, err error) {
	host, err := b.o.Host()
	if err != nil {
		return rec, err
	}
	w, err := b.o.Store.NewLayer(ctx, b.o.Compression, b.o.Jobs)
	if err != nil {
		return rec, err
	}
	defer w.Abort()
	pr, pw, err := os.Pipe()
	if err != nil {
		return rec, err
	}
	defer pr.Close() // read only
	p, err := host.Start(ctx, chroot.Command{
		Stage: stageCapture,
		Args:  captureArgs{Upper: st.upper, Work: st.work, Lowers: st.lowers, Epoch: c.epoch},
		Files: []*os.File{pw},
		Log:   b.o.Log,
	})
	if err := errors.Join(err, pw.Close()); err != nil {
		return rec, err
	}
	var res tree.CaptureResult
	n, cerr := io.Copy(w, pr)
	if cerr != nil {
		cerr = errors.Join(cerr, pr.Close()) // so that the stage does not wait for us for ever
	}
	// The stage's error comes first: the broken pipe it may see is our own doing.
	if err := p.Wait(&res); err != nil && cerr == nil {
		return rec, err
	}
	if cerr != nil {
		return rec, cerr
	}
	for _, n := range res.Skipped {
		b.o.Events(Event{Kind: EventWarning, Text: fmt.Sprintf("%s: not in the layer: %s", n.Path, n.What)})
	}
	if res.Entries == 0 {
		return rec, nil
	}
	l, err := w.Commit()
	if err != nil {
		return rec, err
	}
	if err := b.o.Store.AdoptLayerDir(holder, l.DiffID); err != nil {
		return rec, err
	}
	return NodeRecord{DiffID: l.DiffID, Entries: res.Entries, Bytes: n}, nil
}
