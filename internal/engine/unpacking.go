package engine

import (
	"context"
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"xtoo/chroot"
	"xtoo/layers/store"
)

// An unpacking is a stage that unpacks what is written to it.
type unpacking struct {
	b      *build
	holder string // what becomes layers/HEX
	w      *os.File
	p      *chroot.Process
	done   bool
	err    error
}

// startUnpack starts to unpack a layer into a new directory. lowers are the directories it lies on, top first.
// The caller ends it with finish, and calls abort in any case.
func (b *build) startUnpack(ctx context.Context, lowers []string) (*unpacking, error) {
	host, err := b.o.Host()
	if err != nil {
		return nil, err
	}
	holder, err := b.o.Store.MakeTemp("layer")
	if err != nil {
		return nil, err
	}
	dir := store.DirIn(holder)
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	r, w, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	p, err := host.Start(ctx, chroot.Command{
		Stage: stageUnpack, Args: unpackArgs{Dir: dir, Lowers: lowers}, Files: []*os.File{r}, Log: b.o.Log,
	})
	err = errors.Join(err, r.Close())
	if err != nil {
		return nil, errors.Join(err, w.Close())
	}
	return &unpacking{b: b, holder: holder, w: w, p: p}, nil
}

// finish waits until everything is unpacked.
func (u *unpacking) finish() error {
	if u.done {
		return u.err
	}
	u.done = true
	err := u.w.Close()
	u.err = errors.Join(u.p.Wait(nil), err)
	return u.err
}

// explain returns what the stage says if it ended early: the writer only saw a broken pipe.
func (u *unpacking) explain(err error) error {
	if !errors.Is(err, unix.EPIPE) {
		return err
	}
	if serr := u.finish(); serr != nil {
		return serr
	}
	return err
}

// abort ends the stage, if it has not ended, and removes what it made, if it was not adopted.
func (u *unpacking) abort(ctx context.Context) {
	if err := u.finish(); err != nil {
		u.b.o.Log.Debug("unpacking ended early", "error", err)
	}
	u.b.discard(ctx, u.holder)
}

// discard removes work in progress. What cannot be removed now goes with the workspace.
func (b *build) discard(ctx context.Context, path string) {
	if _, err := os.Lstat(path); err != nil {
		return
	}
	if os.RemoveAll(path) == nil {
		return
	}
	if err := Remover(b.o.Host)(ctx, path); err != nil {
		b.o.Log.Debug("cannot remove work in progress now", "path", path, "error", err)
	}
}
