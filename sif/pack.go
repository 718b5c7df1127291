package sif

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"time"

	"xtoo/layers/merge"
	"xtoo/sif/squashfs"
)

// A packing is a filesystem that is made of layers.
type packing struct {
	stack []merge.Layer // topmost first
	log   *slog.Logger
	// open makes the filesystem; a second one takes the place of the first when the merge starts anew.
	open func() (filesystem, error)
	// finish adds what the layers lack, and says how many names these are.
	finish func(s *sink, v *merge.View) (added int64, err error)
}

// pack gives all that is visible in the layers to the filesystem. It returns the filesystem's size.
func (p *packing) pack(ctx context.Context, info *written) (size int64, err error) {
	var s *sink
	defer func() {
		if err != nil && s != nil {
			s.Abort()
		}
	}()
	view, err := merge.Layers(ctx, p.stack, func() (merge.Sink, error) {
		if s != nil {
			s.Abort()
			s = nil
		}
		fs, err := p.open()
		if err != nil {
			return nil, err
		}
		s = &sink{filesystem: fs}
		return s, nil
	}, merge.Options{Log: p.log})
	if err != nil {
		return 0, err
	}
	added, err := p.finish(s, view)
	if err != nil {
		return 0, err
	}
	info.entries, info.hidden, info.secondPasses, info.scans = view.Entries+added, view.Hidden, view.SecondPasses, view.Scans
	info.droppedXattrs, info.clampedTimes = s.droppedXattrs, s.clampedTimes
	return s.Close()
}

// named gives layers without a name one for errors.
func named(layers []merge.Layer) []merge.Layer {
	out := append([]merge.Layer(nil), layers...)
	for i, l := range out {
		if l.Name == "" && l.DiffID == "" {
			out[i].Name = fmt.Sprintf("layer %d from the top", i+1)
		}
	}
	return out
}

// packImage packs what is visible in img, and what Singularity wants to find.
func packImage(ctx context.Context, img Image, o Options, info *written, open func() (filesystem, error)) (size int64, err error) {
	top, err := overlay(img)
	if err != nil {
		return 0, err
	}
	p := packing{stack: append([]merge.Layer{top}, named(img.Layers)...), log: o.Log, open: open}
	p.finish = func(s *sink, v *merge.View) (added int64, err error) {
		if info.covered, err = coveredBy(img, v); err != nil {
			return 0, err
		}
		return complete(img, s, v)
	}
	return p.pack(ctx, info)
}

// WriteSquashfs writes what is visible in layers, given topmost first, as a squashfs filesystem into f, which must be open for reading and
// writing; what f held before is lost. Nothing is added; created is the time of the filesystem, and of directories that no layer describes.
// WriteSquashfs neither closes f nor syncs it. After an error the content of f is undefined. The bytes depend on the layers, created
// and Options.Compression alone.
func WriteSquashfs(ctx context.Context, f *os.File, layers []merge.Layer, created time.Time, o Options) error {
	if err := f.Truncate(0); err != nil {
		return fmt.Errorf("write squashfs: %w", err)
	}
	img := Image{Created: created.Truncate(time.Second).UTC()}
	p := packing{stack: named(layers), log: o.Log}
	p.open = func() (filesystem, error) {
		return squashfs.NewWriter(squashfs.FileOutput(f, 0), squashfs.Options{Compression: o.Compression, Jobs: o.Jobs, ModTime: img.Created})
	}
	p.finish = func(s *sink, v *merge.View) (added int64, err error) { return describe(img, s, v, nil) }
	var info written
	size, err := p.pack(ctx, &info)
	if err == nil {
		err = f.Truncate(size) // a merge that started anew may have left something behind the end
	}
	if err != nil {
		return fmt.Errorf("write squashfs: %w", err)
	}
	info.warn(o)
	return nil
}
