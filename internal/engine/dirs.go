package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
)

// lowerDirs returns the layer directories of a chain, top first, and unpacks those that are missing.
func (b *build) lowerDirs(ctx context.Context, c *chain) ([]string, error) {
	var dirs []string // top first
	for _, l := range c.links {
		if err := b.ensureDir(ctx, l, dirs); err != nil {
			return nil, fmt.Errorf("unpack layer %s: %w", l.diffID, err)
		}
		dirs = slices.Insert(dirs, 0, b.o.Store.LayerDir(l.dir))
	}
	return dirs, nil
}

// ensureDir unpacks one layer if its directory is missing. Two builds never unpack the same one.
func (b *build) ensureDir(ctx context.Context, l link, lowers []string) error {
	if b.o.Store.HasLayerDir(l.dir) {
		return nil
	}
	unlock, err := b.o.Store.Lock(ctx, "dir "+l.dir.String(), nil)
	if err != nil {
		return err
	}
	if stale, ok := b.o.Store.StaleLayerDir(l.dir); ok {
		err = Remover(b.o.Host)(ctx, stale)
	}
	if err == nil && !b.o.Store.HasLayerDir(l.dir) {
		err = b.unpackLayer(ctx, l, lowers)
	}
	return errors.Join(err, unlock())
}

func (b *build) unpackLayer(ctx context.Context, l link, lowers []string) error {
	in, err := b.o.Store.OpenLayer(l.diffID)
	if err != nil {
		return err
	}
	defer in.Close() // read only
	u, err := b.startUnpack(ctx, lowers)
	if err != nil {
		return err
	}
	defer u.abort(ctx)
	if _, err := io.Copy(u.w, in); err != nil {
		return u.explain(err)
	}
	if err := u.finish(); err != nil {
		return err
	}
	return b.o.Store.AdoptLayerDir(u.holder, l.dir)
}
