package local

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/chroot"
	"xtoo/chroot/stage"
	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/layers/tree"
)

// An Unpacking is a stage that unpacks what is written to it into the directory of a layer.
type Unpacking struct {
	r      *Runner
	host   *chroot.Host
	dirs   layerDirs
	holder string // what becomes a layer's directory
	w      *os.File
	p      *stage.Process
	done   bool
	err    error
	what   string // is unpacked, in words

	records store.Records // of what was unpacked: once it has finished
}

// Unpack starts to unpack a layer that lies on nothing. The caller calls Adopt when all is written, and Abort in any case.
func (r *Runner) Unpack(ctx context.Context) (*Unpacking, error) {
	copied, err := r.copies(ctx)
	if err != nil {
		return nil, err
	}
	return r.unpackOn(ctx, "the base", unpackArgs{Whole: true, Copied: copied})
}

// unpackOn starts to unpack a layer, which what names, onto the directories that args names. Where it is unpacked to
// is added there.
func (r *Runner) unpackOn(ctx context.Context, what string, args unpackArgs) (*Unpacking, error) {
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
	args.Dir = dir
	pr, pw, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	widen(pw)
	p, err := host.Start(ctx, stage.Command{
		Stage: stageUnpack, Args: args, Files: []*os.File{pr}, Log: r.o.Log,
	})
	err = errors.Join(err, pr.Close())
	if err != nil {
		return nil, errors.Join(err, pw.Close())
	}
	return &Unpacking{r: r, host: host, dirs: r.dirsOf(host, args.Copied), holder: holder, w: pw, p: p, what: what}, nil
}

// pipeRoom is how much a pipe to a stage holds, in bytes: the most that the kernel gives to everyone. With its usual 64 KiB the two
// processes would wake each other ten thousand times in a stage3.
const pipeRoom = 1 << 20

// widen gives a pipe more room.
func widen(pipe *os.File) {
	if c, err := pipe.SyscallConn(); err == nil {
		_ = c.Control(func(fd uintptr) {
			_, _ = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, pipeRoom) // else, where its user has too many pipes, it stays slower
		})
	}
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
	var res tree.UnpackResult
	u.err = errors.Join(u.p.Wait(&res), err)
	if u.err == nil {
		u.records = store.Records{Recorded: res.Outside+res.Devices > 0, Lists: res.Lists, Steady: !res.Passes}
		u.warn(res)
	}
	return u.err
}

// warn tells the user what scripts will not see as the image has it.
func (u *Unpacking) warn(res tree.UnpackResult) {
	if res.Outside > 0 && res.SeenAs != 0 { // with one id scripts see the recorded owners
		u.r.o.Events(engine.Event{Kind: engine.EventWarning, Text: fmt.Sprintf("%s: %d of its files belong to users or groups that this user's ids do not reach "+
			"(`xtoo doctor` says which they are): scripts are shown them, and images keep them, but to the kernel the files are %d's", u.what, res.Outside, res.SeenAs)})
	}
	lost := slices.DeleteFunc(res.Lost, func(n tree.Note) bool { return strings.HasPrefix(n.What, "owner ") }) // counted above
	if len(lost) > 0 {
		u.r.o.Events(engine.Event{Kind: engine.EventWarning, Text: fmt.Sprintf("%s: /%s: %s (and %d more): scripts do not see it", u.what, lost[0].Path, lost[0].What, len(lost)-1)})
	}
}

// Adopt makes it the directory of a layer that lies on nothing, once everything is unpacked.
func (u *Unpacking) Adopt(diffID digest.Digest) error {
	if err := u.Finish(); err != nil {
		return err
	}
	return u.dirs.Adopt(u.holder, store.LayerDir{Name: diffID, Layer: diffID, Alone: true, Records: u.records})
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
