package engine

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/atomicfile"
	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/sif"
)

// sifVersion is part of what a SIF file is made from: it changes when the same image would give another file.
const sifVersion = "1"

// emitSIFs writes the SIF files that were asked for.
func (b *build) emitSIFs(ctx context.Context, chains map[*projects.PlannedProject]*chain, images map[*projects.PlannedProject]*oci.Image) error {
	targets, err := b.sifTargets()
	if err != nil {
		return err
	}
	for _, t := range targets {
		if err := b.emitSIF(ctx, t, chains[t.project], images[t.project]); err != nil {
			return err
		}
	}
	return nil
}

func (b *build) emitSIF(ctx context.Context, t sifTarget, c *chain, img *oci.Image) error {
	definition := t.project.Project.Source
	// The blobs' compression does not reach a SIF file: the config does.
	made := keyOf("sif", sifVersion, img.ConfigDescriptor.Digest.String(), b.o.SIFCompression, digest.FromBytes(definition).String())
	id, err := store.IdentifyFile(t.path)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("SIF: %w", err)
	}
	mayReplace := b.o.Force
	if there {
		r, ok := b.o.Store.RememberedFile(id)
		if ok && r.Made == made {
			b.wrote(Output{Project: t.project.Project.Tag, Platform: t.project.Platform(), Path: t.path, Digest: r.Digest, State: outputState(false)}, id.Size)
			return nil
		}
		mayReplace = mayReplace || (t.own && ok && r.Made != "")
	}
	if err := os.MkdirAll(filepath.Dir(t.path), 0o755); err != nil {
		return fmt.Errorf("SIF: %w", err)
	}
	f, err := atomicfile.Create(t.path, 0o755)
	if err != nil {
		return fmt.Errorf("SIF %s: %w", t.path, err)
	}
	defer f.Abort()
	d, err := b.writeSIF(ctx, f.File, c, img, definition)
	if err != nil {
		return fmt.Errorf("SIF %s: %w", t.path, err)
	}
	state := outputState(true)
	if there {
		same, err := sameContent(f.File, t.path)
		if err != nil {
			return fmt.Errorf("SIF %s: %w", t.path, err)
		}
		if !same && !mayReplace {
			return &existsError{t.path}
		}
		if same {
			state = outputState(false)
		}
	}
	if state == outputState(true) {
		if err := f.Commit(); err != nil {
			return fmt.Errorf("SIF %s: %w", t.path, err)
		}
	}
	if id, err = store.IdentifyFile(t.path); err != nil {
		return fmt.Errorf("SIF: %w", err)
	}
	if err := b.o.Store.RememberFile(store.FileRecord{ID: id, Digest: d, Made: made}); err != nil {
		return err
	}
	b.wrote(Output{Project: t.project.Project.Tag, Platform: t.project.Platform(), Path: t.path, Digest: d, State: state}, id.Size)
	return nil
}

// writeSIF writes the SIF file of a chain and returns its digest.
func (b *build) writeSIF(ctx context.Context, f *os.File, c *chain, img *oci.Image, definition []byte) (digest.Digest, error) {
	cfg, err := oci.ParseConfig(img.Config)
	if err != nil {
		return "", err
	}
	in := sif.Image{Config: cfg, Arch: c.arch.Architecture, Created: c.epoch, Definition: definition}
	for i := len(c.links) - 1; i >= 0; i-- {
		d := c.links[i].diffID
		in.Layers = append(in.Layers, sif.Layer{Open: b.layerOpener(d), DiffID: d})
	}
	if _, err := sif.Write(ctx, f, in, sif.Options{Compression: b.o.SIFCompression, Jobs: b.o.Jobs, Log: b.o.Log}); err != nil {
		return "", err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(h, f, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return digest.NewDigest(digest.SHA256, h), nil
}
