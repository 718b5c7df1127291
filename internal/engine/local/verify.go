package local

import (
	"context"
	"errors"
	"fmt"

	"xtoo/chroot/stage"
	"xtoo/layers/store"
)

// Verified says what [Runner.Verify] has found.
type Verified struct {
	// Compared are the layer directories that were compared with their layers.
	Compared int `json:"compared"`
	// Repaired of them were something else, and were unpacked anew.
	Repaired int `json:"repaired"`
	// Discarded are those of which nobody knows the layer, or whose layer the store does not have.
	Discarded int `json:"discarded"`
}

// Verify compares all layer directories that this user's map of ids has with their layers, and unpacks anew what is not as
// it should be. tell gets a line for each. The caller has the store for himself alone ([store.Store.Exclusive]).
func (r *Runner) Verify(ctx context.Context, tell func(text string)) (Verified, error) {
	var v Verified
	host, err := r.host()
	if err != nil {
		return v, err
	}
	for _, copied := range []bool{false, true} {
		if err := r.verifyAll(ctx, r.dirsOf(host, copied), &v, tell); err != nil {
			return v, err
		}
	}
	return v, nil
}

func (r *Runner) verifyAll(ctx context.Context, dirs layerDirs, v *Verified, tell func(text string)) error {
	list, err := dirs.List()
	if err != nil {
		return err
	}
	for _, l := range list {
		if err := ctx.Err(); err != nil {
			return err
		}
		what, err := r.verify(ctx, dirs, l)
		switch {
		case errors.Is(err, store.ErrNoLayer):
			v.Discarded++
			err = dirs.Discard(l.Name)
		case what != "":
			v.Repaired++
			tell(fmt.Sprintf("%s was unpacked anew: %s", dirs.Path(l.Name), what))
			fallthrough
		default:
			v.Compared++
		}
		if err != nil {
			return fmt.Errorf("verify layer directory %s: %w", l.Name, err)
		}
	}
	return nil
}

// verify unpacks the layer of a directory beside it, and puts that in its place if it is not the same. It says what is not.
func (r *Runner) verify(ctx context.Context, dirs layerDirs, l store.Listed) (what string, err error) {
	on := unpackArgs{Whole: l.Alone || len(l.Below) > 0, Copied: dirs.copied}
	for _, name := range l.Below {
		if !dirs.Has(name) {
			return "", store.ErrNoLayer // and it cannot be unpacked on nothing
		}
		on.Lowers = append(on.Lowers, dirs.Path(name))
	}
	u, err := r.unpackLayer(ctx, l.Layer, on)
	if err != nil {
		return "", err
	}
	defer u.Abort(ctx)
	p, err := u.host.Start(ctx, stage.Command{
		Stage: stageCompare, Args: compareArgs{A: dirs.Path(l.Name), B: store.DirIn(u.holder)}, Log: r.o.Log,
	})
	if err != nil {
		return "", err
	}
	if err := p.Wait(&what); err != nil {
		return "", err
	}
	if what == "" && !l.Trusted {
		what = "its files were changed since, or it may not have reached the disk"
	}
	if what == "" {
		return "", nil
	}
	return what, dirs.Replace(u.holder, l.LayerDir)
}
