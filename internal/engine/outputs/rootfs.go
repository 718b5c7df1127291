package outputs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/projects"
	"xtoo/rootfs"
)

// rootfsVersion is part of what a directory is made from: it changes when the same image would give another one.
const rootfsVersion = "1"

// Rootfs unpacks each image's root into a new directory. What is there is never replaced.
type Rootfs struct {
	Place
	// Log takes what is for developers; nil discards.
	Log *slog.Logger
	// Events is told what of an image the user cannot have in a directory; nil: nobody is told.
	Events engine.Sink
}

func (r *Rootfs) asked() asked {
	return asked{output: projects.OutputRootfs, flag: "--rootfs", path: r.Path, claims: r.Claims}
}

// Check implements [engine.Output]: it refuses what is there, unless it may be what would be made.
func (r *Rootfs) Check(list []*projects.PlannedProject) error {
	a := r.asked()
	targets, err := a.targets(list)
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := a.claim(t); err != nil {
			return err
		}
		_, made, err := r.look(t.path)
		if err != nil {
			return err
		}
		if made != "" {
			continue
		}
		if err := vacant(t.path); err != nil {
			return err
		}
		if err := checkWritable(filepath.Dir(t.path)); err != nil {
			return err
		}
	}
	return nil
}

// look says what a directory was made from, if it is remembered, and how many bytes its files have.
func (r *Rootfs) look(path string) (size int64, made digest.Digest, err error) {
	id, err := store.IdentifyDir(path)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, "", nil
	}
	if err != nil {
		return 0, "", fmt.Errorf("root directory: %w", err)
	}
	known, ok := r.Store.RememberedFile(id)
	if !ok {
		return 0, "", nil
	}
	return known.Size, known.Made, nil
}

// vacant refuses a directory with something in it.
func vacant(path string) error {
	err := rootfs.Vacant(path)
	if errors.Is(err, rootfs.ErrNotEmpty) {
		return &occupiedError{err}
	}
	return err
}

// occupiedError carries the hint of [rootfs.ErrNotEmpty].
type occupiedError struct{ error }

func (e *occupiedError) Error() string { return "root directory " + e.error.Error() }
func (e *occupiedError) Unwrap() error { return e.error }

// Hint says what to do.
func (e *occupiedError) Hint() string {
	return "a root directory is never replaced: remove it first, or give another --rootfs"
}

// Write implements [engine.Output].
func (r *Rootfs) Write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	of := make(map[*projects.PlannedProject]*engine.Image, len(images))
	var list []*projects.PlannedProject
	for i := range images {
		of[images[i].Project] = &images[i]
		list = append(list, images[i].Project)
	}
	a := r.asked()
	targets, err := a.targets(list)
	if err != nil {
		return err
	}
	for _, t := range targets {
		p := &product{target: t, image: of[t.project]}
		p.made = r.madeOf(p.image)
		size, made, err := r.look(p.path)
		changed := made != p.made
		if err == nil && changed {
			size, err = r.make(ctx, p)
		}
		if err != nil {
			return err
		}
		done(*p.written("", size, changed))
	}
	return nil
}

// madeOf is a digest of what a directory is made from, and by whom: another user has other files.
func (r *Rootfs) madeOf(img *engine.Image) digest.Digest {
	parts := []string{rootfsVersion, fmt.Sprint(os.Geteuid() == 0)}
	for _, l := range img.Links {
		parts = append(parts, l.DiffID.String())
	}
	return engine.Key("rootfs", parts...)
}

func (r *Rootfs) make(ctx context.Context, p *product) (size int64, err error) {
	if err := vacant(p.path); err != nil {
		return 0, err
	}
	what := projects.OutputRootfs
	if err := os.MkdirAll(filepath.Dir(p.path), 0o755); err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	o := rootfs.Options{Log: r.Log, Warn: p.warner(what, r.Events)}
	if size, err = rootfs.Write(ctx, p.path, layersOf(r.Store, p.image), o); err != nil {
		return 0, failed(what, p.path, err)
	}
	id, err := store.IdentifyDir(p.path)
	if err != nil {
		return 0, fmt.Errorf("%s: %w", what, err)
	}
	return size, r.Store.RememberFile(store.FileRecord{ID: id, Made: p.made, Size: size})
}
