package engine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"github.com/opencontainers/go-digest"

	"xtoo/oci"
	"xtoo/projects"
)

// emit makes the images and everything that was asked for from them.
func (b *build) emit(ctx context.Context, chains map[*projects.PlannedProject]*chain) error {
	var built, asked []oci.Ref
	images := map[*projects.PlannedProject]*oci.Image{}
	for _, platforms := range b.byProject() {
		ref, err := b.image(ctx, platforms, chains, images)
		if err != nil {
			return fmt.Errorf("image of project %s: %w", platforms[0].Project.Tag, err)
		}
		built = append(built, ref)
		if platforms[0].Selected {
			asked = append(asked, ref)
		}
	}
	layout, err := oci.CreateLayout(ctx, b.o.Store.LayoutDir())
	if err != nil {
		return err
	}
	if err := layout.Update(ctx, built, nil); err != nil {
		return err
	}
	// SIF files first: they may be refused, and then nothing else shall have changed.
	if err := b.emitSIFs(ctx, chains, images); err != nil {
		return err
	}
	return b.emitLayout(ctx, layout, asked)
}

// emitLayout brings the images into the layout that was asked for.
func (b *build) emitLayout(ctx context.Context, store *oci.Layout, refs []oci.Ref) error {
	if b.o.OCILayout == "" {
		return nil
	}
	res, err := oci.Export(ctx, store, b.o.OCILayout, refs, oci.ExportOptions{Log: b.o.Log})
	if err != nil {
		return err
	}
	out := Output{Path: b.o.OCILayout, State: outputState(res.Changed || res.Copied > 0)}
	b.wrote(out, res.Bytes)
	return nil
}

func outputState(changed bool) string {
	if changed {
		return "written"
	}
	return "unchanged"
}

func (b *build) wrote(out Output, bytes int64) {
	b.result.Outputs = append(b.result.Outputs, out)
	b.o.Events(Event{
		Kind: EventWritten, Project: out.Project, Platform: out.Platform, Path: out.Path, State: out.State, Digest: out.Digest, Bytes: bytes,
	})
}

// checkOutputs finds what is wrong with the outputs before anything is executed for them.
func (b *build) checkOutputs() error {
	if b.o.OCILayout != "" {
		if err := checkLayout(b.o.OCILayout); err != nil {
			return err
		}
	}
	_, err := b.sifTargets()
	return err
}

// checkLayout refuses a directory that is no layout, and one that cannot be written to.
func checkLayout(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) || (err == nil && len(entries) == 0) {
		return checkWritable(dir)
	}
	if err != nil {
		return fmt.Errorf("OCI layout: %w", err)
	}
	if _, err := oci.OpenLayout(dir); err != nil {
		return err
	}
	return nil
}

// layerOpener opens a layer whenever it is called.
func (b *build) layerOpener(d digest.Digest) func() (io.ReadCloser, error) {
	return func() (io.ReadCloser, error) { return b.o.Store.OpenLayer(d) }
}
