package local

import (
	"context"
	"errors"
	"io"
	"os"

	"xtoo/chroot/stage"
	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/layers/tree"
)

// commit turns the upper directory of a script that has ended into a layer: a stage reads it and writes the tar stream,
// which is hashed and compressed here, as it comes.
func (x *execution) commit(ctx context.Context) (engine.Outcome, error) {
	w, err := x.r.o.Store.NewLayer(ctx, x.job.Compression, x.job.Jobs)
	if err != nil {
		return engine.Outcome{}, err
	}
	defer w.Abort()
	res, bytes, err := x.capture(ctx, w)
	if err != nil {
		return engine.Outcome{}, err
	}
	out := engine.Outcome{Entries: res.Entries, Bytes: bytes}
	for _, n := range res.Skipped {
		out.Skipped = append(out.Skipped, n.Path+": "+n.What)
	}
	if res.Entries == 0 {
		return engine.Outcome{Skipped: out.Skipped}, nil
	}
	l, err := w.Commit()
	if err != nil {
		return engine.Outcome{}, err
	}
	records := store.Records{Recorded: res.Recorded, Lists: res.Lists, Steady: x.records.Steady && !res.Passes}
	if err := x.dirs.Adopt(x.holder, store.LayerDir{Name: l.DiffID, Layer: l.DiffID, Records: records}); err != nil {
		return engine.Outcome{}, err
	}
	x.r.dirs.Store(x.dirs.Path(l.DiffID), records)
	out.DiffID = l.DiffID
	return out, nil
}

// capture copies the tar stream of what has changed to w.
func (x *execution) capture(ctx context.Context, w *store.LayerWriter) (res tree.CaptureResult, n int64, err error) {
	pr, pw, err := os.Pipe()
	if err != nil {
		return res, 0, err
	}
	defer pr.Close() // read only
	p, err := x.host.Start(ctx, stage.Command{
		Stage: stageCapture,
		Args:  captureArgs{Upper: x.upper(), Work: x.work(), Copy: x.copy, Lowers: x.lowers, Epoch: x.job.Epoch, Ran: x.ran},
		Files: []*os.File{pw},
		Log:   x.r.o.Log,
	})
	if err := errors.Join(err, pw.Close()); err != nil {
		return res, 0, err
	}
	n, cerr := io.Copy(w, pr)
	if cerr != nil {
		cerr = errors.Join(cerr, pr.Close()) // so that the stage does not wait for us for ever
	}
	// The stage's error comes first: the broken pipe it may see is our own doing.
	if err := p.Wait(&res); err != nil && cerr == nil {
		return res, n, err
	}
	return res, n, cerr
}
