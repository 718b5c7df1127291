package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/chroot"
	"xtoo/chroot/host"
	"xtoo/chroot/stage"
	"xtoo/internal/engine"
	"xtoo/layers/tree"
)

// Where no overlay can be mounted, a script gets a copy of what one would show (package layers/tree). Making it costs the size of the whole
// root, so that it is kept for what is executed on it next: it goes from node to node of a chain, and is brought up to date by what each
// has changed. Whether overlays can be mounted is tried before the first layer is unpacked, which takes longer by far; layers that are
// unpacked already show it when they are mounted.

// roots are how the roots of nodes are made.
type roots struct {
	wanted chroot.Roots
	copied atomic.Bool // they are copies from now on
	tried  sync.Once
	why    error // they have to be

	mu   sync.Mutex
	idle []idleRoot // the last one used last
}

// An idleRoot is a copy of what the layer directories of key show, once it is brought up to date.
type idleRoot struct {
	at, key string
}

// maxIdle is how many copies wait for a node to be executed on them.
const maxIdle = 2

// tryOverlay returns a [chroot.ErrNoOverlay] where no overlay can be mounted. It tries once.
func (r *Runner) tryOverlay(ctx context.Context) error {
	if r.roots.wanted != chroot.RootsAuto {
		return nil
	}
	h, err := r.host()
	if err != nil {
		return err
	}
	r.roots.tried.Do(func() {
		dir, err := r.o.Store.MakeTemp("trial")
		if err == nil {
			defer r.discard(ctx, dir)
			err = h.TryOverlay(ctx, dir)
		}
		if errors.Is(err, chroot.ErrNoOverlay) && !errors.Is(err, tree.ErrNoUserXattrs) {
			r.roots.why = err
		} else if err != nil {
			r.o.Log.Debug("cannot try to mount an overlay", "error", err) // what needs one will say it
		}
	})
	return r.roots.why
}

// copies reports whether layers are unpacked for copies.
func (r *Runner) copies(ctx context.Context) (bool, error) {
	if _, err := r.host(); err != nil {
		return false, err
	}
	if !r.roots.copied.Load() {
		r.roots.fallBack(r.tryOverlay(ctx), r.o.Events)
	}
	return r.roots.copied.Load(), nil
}

// fallBack makes the roots copies from now on if err says that they have to be, and reports whether it does.
func (s *roots) fallBack(err error, tell engine.Sink) bool {
	// Without user xattrs there are no layer directories to copy from either.
	if s.wanted != chroot.RootsAuto || !errors.Is(err, chroot.ErrNoOverlay) || errors.Is(err, tree.ErrNoUserXattrs) {
		return false
	}
	if !s.copied.Swap(true) {
		text := fmt.Sprintf("%v: scripts are executed in copies of their roots, with the same result. A copy takes its time, and as much of the disk as the root", err)
		if hint := host.Hint(err); hint != "" {
			text += ". To do without: " + hint
		}
		tell(engine.Event{Kind: engine.EventWarning, Text: text})
	}
	return true
}

// takeRoot gives the execution a copy of its root: one that is there already, or a new one.
func (x *execution) takeRoot(ctx context.Context) error {
	if at := x.r.roots.take(x.rootKey("")); at != "" {
		err := x.copyRoot(ctx, copyArgs{At: at, Lowers: x.lowers, Refresh: true})
		if err == nil {
			x.copy = at
			return nil
		}
		x.r.discard(ctx, at)
		if ctx.Err() != nil {
			return err
		}
		x.r.o.Log.Debug("a copy of a root is made anew", "error", err)
	}
	err := x.newRoot(ctx)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		if idle := x.r.roots.shrink(0); len(idle) > 0 {
			x.r.discard(ctx, idle...)
			err = x.newRoot(ctx)
		}
	}
	return err
}

// newRoot makes a new copy.
func (x *execution) newRoot(ctx context.Context) error {
	at, err := x.r.o.Store.MakeTemp("root")
	if err != nil {
		return err
	}
	if err := x.copyRoot(ctx, copyArgs{At: at, Lowers: x.lowers, Apart: x.apart}); err != nil {
		x.r.discard(ctx, at)
		return err
	}
	x.copy = at
	return nil
}

// leaveRoot keeps the copy for a node above, if it is known what was done to it.
func (x *execution) leaveRoot(ctx context.Context, out engine.Outcome, err error) {
	at := x.copy
	x.copy = ""
	if err == nil && x.job.Discard && !x.apart {
		err = x.takeBack(ctx, at)
	}
	if err != nil || out.Exit != 0 || out.Late || x.apart {
		x.r.discard(ctx, at)
		return
	}
	x.r.roots.keep(idleRoot{at, x.rootKey(out.DiffID)})
	x.r.discard(ctx, x.r.roots.shrink(maxIdle)...)
}

// takeBack takes out of a copy what was changed in it, so that it can be renewed. The upper directory, which nobody wants, gets it.
func (x *execution) takeBack(ctx context.Context, at string) error {
	p, err := x.host.Start(ctx, stage.Command{
		Stage: stageTakeBack, Args: takeBackArgs{Copy: at, Upper: x.upper(), Lowers: x.lowers}, Log: x.r.o.Log,
	})
	if err != nil {
		return err
	}
	return p.Wait(nil)
}

type takeBackArgs struct {
	Copy   string   `json:"copy"`
	Upper  string   `json:"upper"`
	Lowers []string `json:"lowers"`
}

func runTakeBack(ctx context.Context, s *stage.Stage) error {
	var a takeBackArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	_, err := tree.TakeChanges(ctx, a.Copy, a.Upper, a.Lowers)
	return err
}

// rootKey names what the layer directories of the execution show, with the layer on top, which may be "".
func (x *execution) rootKey(layer digest.Digest) string {
	paths := x.lowers
	if layer != "" {
		paths = append([]string{x.dirs.Path(layer)}, paths...)
	}
	return strings.Join(paths, "\n")
}

// take returns a copy of that key, which is the caller's then, or "".
func (s *roots) take(key string) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.idle, func(i idleRoot) bool { return i.key == key })
	if i < 0 {
		return ""
	}
	at := s.idle[i].at
	s.idle = slices.Delete(s.idle, i, i+1)
	return at
}

func (s *roots) keep(one idleRoot) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.idle = append(s.idle, one)
}

// shrink leaves so many copies, those used last, and returns the others for the caller to remove.
func (s *roots) shrink(left int) (gone []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for len(s.idle) > left {
		gone = append(gone, s.idle[0].at)
		s.idle = slices.Delete(s.idle, 0, 1)
	}
	return gone
}

// copyArgs are the arguments of the stage that makes copies of roots.
type copyArgs struct {
	At      string   `json:"at"`
	Lowers  []string `json:"lowers"`
	Apart   bool     `json:"apart"`
	Refresh bool     `json:"refresh"`
}

func (x *execution) copyRoot(ctx context.Context, a copyArgs) error {
	p, err := x.host.Start(ctx, stage.Command{Stage: stageCopy, Args: a, Log: x.r.o.Log})
	if err != nil {
		return err
	}
	var res tree.CopyResult
	if err := p.Wait(&res); err != nil {
		return err
	}
	x.r.o.Log.Debug("a root was copied", "files", res.Files, "bytes", res.Bytes, "shared", res.Shared, "anew", !a.Refresh)
	return nil
}

func runCopy(ctx context.Context, s *stage.Stage) error {
	var a copyArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	var res tree.CopyResult
	var err error
	if a.Refresh {
		res, err = tree.RefreshCopy(ctx, a.At, a.Lowers)
	} else {
		res, err = tree.CopyRoot(ctx, a.At, a.Lowers, a.Apart)
	}
	if err != nil {
		return err
	}
	return s.Result(res)
}
