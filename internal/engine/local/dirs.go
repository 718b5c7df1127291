package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/opencontainers/go-digest"

	"xtoo/chroot"
	"xtoo/internal/engine"
	"xtoo/layers/store"
)

// layerDirs are layer directories that are mounted, or only copied from.
type layerDirs struct {
	*store.Dirs
	copied bool
}

// dirsOf are the layer directories of the store as this host's map of ids has them; copied: those that are never mounted.
func (r *Runner) dirsOf(h *chroot.Host, copied bool) layerDirs {
	ids := fmt.Sprintf("%s tier, users %v, groups %v", h.Tier, h.UIDs, h.GIDs)
	if copied {
		ids += ", for roots that are copies"
	}
	return layerDirs{r.o.Store.Dirs(ids), copied}
}

// MaxLayers implements [engine.Runner].
func (r *Runner) MaxLayers() int { return chroot.MaxLayers }

// IDs implements [engine.Runner].
func (r *Runner) IDs() int64 {
	h, err := r.host()
	if err != nil {
		return 0 // nothing can be executed here, and nothing better than what there is
	}
	return idsOf(h)
}

func idsOf(h *chroot.Host) int64 { return min(h.CountUIDs(), h.CountGIDs()) }

// lowerDirs returns the directories of layers, top first, and unpacks those that are missing. recorded says that in one of them
// are owners or devices that scripts see only where records are read back to them.
func (r *Runner) lowerDirs(ctx context.Context, dirs layerDirs, links []engine.Link) (paths []string, records store.Records, err error) {
	paths = make([]string, len(links)) // top first
	names := make([]digest.Digest, len(links))
	records.Steady = true
	for i, l := range links {
		at := len(links) - 1 - i
		has, err := r.ensureDir(ctx, dirs, layerDir(l, names[at+1:]), paths[at+1:])
		if err != nil {
			return nil, records, fmt.Errorf("unpack layer %s: %w", l.DiffID, err)
		}
		records.Recorded, records.Lists = records.Recorded || has.Recorded, records.Lists || has.Lists
		records.Steady = records.Steady && has.Steady
		paths[at], names[at] = dirs.Path(l.Dir), l.Dir
	}
	return paths, records, nil
}

// layerDir is the directory of a link that lies on others, top first. One that is named by its diff id is the same on all.
func layerDir(l engine.Link, below []digest.Digest) store.LayerDir {
	d := store.LayerDir{Name: l.Dir, Layer: l.DiffID, Alone: len(below) == 0}
	if l.Dir != l.DiffID {
		d.Below = below
	}
	return d
}

// ensureDir unpacks one layer if its directory is missing or not to be trusted, and says whether it has records that scripts have
// to be shown. Two builds never unpack the same one. While a build runs nobody removes a directory, so that each is looked at once.
func (r *Runner) ensureDir(ctx context.Context, dirs layerDirs, l store.LayerDir, lowers []string) (store.Records, error) {
	if known, ok := r.dirs.Load(dirs.Path(l.Name)); ok {
		records, _ := known.(store.Records) // nothing else is ever stored
		return records, nil
	}
	found, ok, _ := dirs.Look(l.Name)
	if !ok {
		unlock, err := r.o.Store.Lock(ctx, "dir "+dirs.Path(l.Name), nil)
		if err != nil {
			return found.Records, err
		}
		found, err = r.makeDir(ctx, dirs, l, lowers)
		if err := errors.Join(err, unlock()); err != nil {
			return found.Records, err
		}
	}
	r.dirs.Store(dirs.Path(l.Name), found.Records)
	return found.Records, nil
}

func (r *Runner) makeDir(ctx context.Context, dirs layerDirs, l store.LayerDir, lowers []string) (store.LayerDir, error) {
	found, ok, changed := dirs.Look(l.Name)
	if ok {
		return found, nil // somebody else did it meanwhile
	}
	if changed != "" {
		r.o.Events(engine.Event{Kind: engine.EventWarning, Text: changed + " was changed by somebody: its layer is unpacked anew"})
	}
	if !dirs.copied {
		if err := r.tryOverlay(ctx); err != nil {
			return l, err
		}
	}
	u, err := r.unpackLayer(ctx, l.Layer, unpackArgs{Lowers: slices.Clone(lowers), Whole: true, Copied: dirs.copied})
	if err != nil {
		return l, err
	}
	defer u.Abort(ctx)
	l.Records = u.records
	return l, dirs.Adopt(u.holder, l)
}

// unpackLayer unpacks a layer of the store. The caller calls Abort.
func (r *Runner) unpackLayer(ctx context.Context, layer digest.Digest, on unpackArgs) (*Unpacking, error) {
	in, err := r.o.Store.OpenLayer(layer)
	if err != nil {
		return nil, err
	}
	defer in.Close() // read only
	u, err := r.unpackOn(ctx, "layer "+layer.String(), on)
	if err != nil {
		return nil, err
	}
	if _, err := io.Copy(u, in); err != nil {
		err = u.Explain(err)
		u.Abort(ctx)
		return nil, err
	}
	if err := u.Finish(); err != nil {
		u.Abort(ctx)
		return nil, err
	}
	return u, nil
}
