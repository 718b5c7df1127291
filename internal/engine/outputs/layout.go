package outputs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"

	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
)

// Layout adds images to an OCI image layout, or replaces them there.
type Layout struct {
	// Store has the images.
	Store *store.Store
	// Dir is the layout's directory; made where it is missing.
	Dir string
	// Log takes what is for developers; nil discards.
	Log *slog.Logger
}

// Check implements [engine.Output]: it refuses a directory that is no layout, and one that cannot be written to.
func (l *Layout) Check([]*projects.PlannedProject) error {
	entries, err := os.ReadDir(l.Dir)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return checkWritable(l.Dir)
	}
	if err != nil {
		return fmt.Errorf("OCI layout: %w", err)
	}
	_, err = oci.OpenLayout(l.Dir)
	return err
}

// Write implements [engine.Output].
func (l *Layout) Write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	var refs []oci.Ref
	for len(images) > 0 {
		n := 1
		for n < len(images) && images[n].Project.Project == images[0].Project.Project {
			n++
		}
		refs = append(refs, engine.TagOf(images[:n]...))
		images = images[n:]
	}
	res, err := oci.Export(ctx, blobsOf(l.Store), l.Dir, refs, oci.ExportOptions{Log: l.Log})
	if err != nil {
		return err
	}
	done(engine.Written{Path: l.Dir, Changed: res.Changed || res.Copied > 0, Bytes: res.Bytes})
	return nil
}
