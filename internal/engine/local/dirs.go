package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/engine"
)

// lowerDirs returns the directories of layers, top first, and unpacks those that are missing.
func (r *Runner) lowerDirs(ctx context.Context, links []engine.Link) ([]string, error) {
	dirs := make([]string, len(links)) // top first
	for i, l := range links {
		at := len(links) - 1 - i
		if err := r.ensureDir(ctx, l, dirs[at+1:]); err != nil {
			return nil, fmt.Errorf("unpack layer %s: %w", l.DiffID, err)
		}
		dirs[at] = r.o.Store.LayerDir(l.Dir)
	}
	return dirs, nil
}

// ensureDir unpacks one layer if its directory is missing. Two builds never unpack the same one. While a build runs
// nobody removes a directory, so that each is looked at once.
func (r *Runner) ensureDir(ctx context.Context, l engine.Link, lowers []string) error {
	if _, ok := r.dirs.Load(l.Dir); ok {
		return nil
	}
	if !r.o.Store.HasLayerDir(l.Dir) {
		unlock, err := r.o.Store.Lock(ctx, "dir "+l.Dir.String(), nil)
		if err != nil {
			return err
		}
		if err := errors.Join(r.makeDir(ctx, l, lowers), unlock()); err != nil {
			return err
		}
	}
	r.dirs.Store(l.Dir, true)
	return nil
}

func (r *Runner) makeDir(ctx context.Context, l engine.Link, lowers []string) error {
	if stale, ok := r.o.Store.StaleLayerDir(l.Dir); ok {
		if err := r.Remove(ctx, stale); err != nil {
			return err
		}
	}
	if r.o.Store.HasLayerDir(l.Dir) {
		return nil // somebody else did it meanwhile
	}
	in, err := r.o.Store.OpenLayer(l.DiffID)
	if err != nil {
		return err
	}
	defer in.Close() // read only
	u, err := r.unpackOn(ctx, slices.Clone(lowers))
	if err != nil {
		return err
	}
	defer u.Abort(ctx)
	if _, err := io.Copy(u, in); err != nil {
		return u.Explain(err)
	}
	return u.Adopt(l.Dir)
}

// adopted says that the directory of a layer is there.
func (r *Runner) adopted(dir digest.Digest) { r.dirs.Store(dir, true) }
