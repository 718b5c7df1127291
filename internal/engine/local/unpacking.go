package local

import (
	"context"
	"errors"
	"os"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/chroot/stage"
	"xtoo/layers/store"
)

// An Unpacking is a stage that unpacks what is written to it into the directory of a layer.
type Unpacking struct {
	r      *Runner
	dirs   *store.Dirs
	holder string // what becomes a layer's directory
	w      *os.File
	p      *stage.Process
	done   bool
	err    error
}

// Unpack starts to unpack a layer that lies on nothing. The caller calls Adopt when all is written, and Abort in any case.
func (r *Runner) Unpack(ctx context.Context) (*Unpacking, error) { return r.unpackOn(ctx, nil) }

// unpackOn starts to unpack a layer. lowers are the directories that it lies on, top first.
func (r *Runner) unpackOn(ctx context.Context, lowers []string) (*Unpacking, error) {
	host, err := r.host()
	if err != nil {
		return nil, err
	}
	holder, err := r.o.Store.MakeTemp("layer")
	if err != nil {
		return nil, err
	}
	dir := store.DirIn(holder)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p, err := host.Start(ctx, stage.Command{
		Stage: stageUnpack, Args: unpackArgs{Dir: dir, Lowers: lowers}, Files: []*os.File{pr}, Log: r.o.Log,
	})
	err = errors.Join(err, pr.Close())
	if err != nil {
		return nil, errors.Join(err, pw.Close())
	}
	return &Unpacking{r: r, dirs: r.dirsOf(host), holder: holder, w: pw, p: p}, nil
}

// Write takes the next bytes of the layer's tar stream. Its error may be that of a stage that has ended: see Explain.
func (u *Unpacking) Write(p []byte) (int, error) { return u.w.Write(p) }

// Finish waits until everything is unpacked.
func (u *Unpacking) Finish() error {
	if u.done {
		return u.err
	}
	u.done = true
	err := u.w.Close()
	u.err = errors.Join(u.p.Wait(nil), err)
	return u.err
}

// Adopt makes it the directory of a layer that lies on nothing, once everything is unpacked.
func (u *Unpacking) Adopt(diffID digest.Digest) error {
	if err := u.Finish(); err != nil {
		return err
	}
	return u.dirs.Adopt(u.holder, store.LayerDir{Name: diffID, Layer: diffID})
}

// Explain returns what the stage says if it ended early: the writer only saw a broken pipe.
func (u *Unpacking) Explain(err error) error {
	if !errors.Is(err, unix.EPIPE) {
		return err
	}
	if serr := u.Finish(); serr != nil {
		return serr
	}
	return err
}

// Abort ends the stage, if it has not ended, and removes what it made, if it was not adopted.
func (u *Unpacking) Abort(ctx context.Context) {
	if err := u.Finish(); err != nil {
		u.r.o.Log.Debug("unpacking ended early", "error", err)
	}
	u.r.discard(ctx, u.holder)
}
