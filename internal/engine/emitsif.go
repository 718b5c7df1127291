package engine

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/internal/atomicfile"
	"xtoo/layers"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/sif"
)

// sifVersion is part of what a SIF file is made from: it changes when the same image would give another file.
const sifVersion = "1"

// A sifTarget is a SIF file to be.
type sifTarget struct {
	project *projects.PlannedProject
	path    string
	// own: a configuration names it (outputs.sif). A file there that xtoo wrote, and nobody has changed since, is
	// replaced without being asked.
	own bool
}

// ErrExists says that a SIF file with other bytes is in the way.
var ErrExists = errors.New("a file with other content is there")

// existsError carries the hint of ErrExists.
type existsError struct{ path string }

func (e *existsError) Error() string { return fmt.Sprintf("SIF %s: %s", e.path, ErrExists) }
func (e *existsError) Unwrap() error { return ErrExists }

// Hint says how to replace it.
func (e *existsError) Hint() string { return "use --force to replace it, or another --sif" }

// sifTargets says which SIF files were asked for, on the command line and in configurations.
func (b *build) sifTargets() ([]sifTarget, error) {
	selected := b.selected()
	var targets []sifTarget
	for _, p := range selected {
		if p.SIF != "" {
			targets = append(targets, sifTarget{project: p, path: p.SIF, own: true})
		}
	}
	fi, err := os.Stat(b.o.SIF)
	isDir := strings.HasSuffix(b.o.SIF, "/") || (err == nil && fi.IsDir())
	switch {
	case b.o.SIF == "":
	case isDir:
		for _, p := range selected {
			targets = append(targets, sifTarget{project: p, path: filepath.Join(b.o.SIF, projects.SIFName(p.Project.Tag))})
		}
	case len(selected) == 1:
		targets = append(targets, sifTarget{project: selected[0], path: b.o.SIF})
	default:
		return nil, &UsageError{
			Text: fmt.Sprintf("--sif %s names one file, and %d projects are to be built", b.o.SIF, len(selected)),
			Todo: "name one project, or give a directory: --sif " + b.o.SIF + "/",
		}
	}
	for _, t := range targets {
		if err := checkWritable(t.path); err != nil {
			return nil, err
		}
	}
	return targets, nil
}

// checkWritable says whether a file or directory can be made, or is there and can be written to.
func checkWritable(path string) error {
	for p := filepath.Clean(path); ; p = filepath.Dir(p) {
		fi, err := os.Stat(p)
		if errors.Is(err, fs.ErrNotExist) && p != filepath.Dir(p) {
			continue
		}
		if err != nil {
			return fmt.Errorf("write %s: %w", path, err)
		}
		if !fi.IsDir() {
			if p == filepath.Clean(path) && fi.Mode().IsRegular() {
				continue // it will be replaced: its directory is what matters
			}
			return fmt.Errorf("write %s: %s is not a directory", path, p)
		}
		if err := unix.Access(p, unix.W_OK|unix.X_OK); err != nil {
			return fmt.Errorf("write %s: directory %s: %w", path, p, err)
		}
		return nil
	}
}

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
	id, err := layers.IdentifyFile(t.path)
	there := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("SIF: %w", err)
	}
	mayReplace := b.o.Force
	if there {
		r, ok := b.o.Store.RememberedFile(id)
		if ok && r.Made == made {
			b.wrote(Output{Project: t.project.Project.Tag, Path: t.path, Digest: r.Digest, State: outputState(false)}, id.Size)
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
	if id, err = layers.IdentifyFile(t.path); err != nil {
		return fmt.Errorf("SIF: %w", err)
	}
	if err := b.o.Store.RememberFile(layers.FileRecord{ID: id, Digest: d, Made: made}); err != nil {
		return err
	}
	b.wrote(Output{Project: t.project.Project.Tag, Path: t.path, Digest: d, State: state}, id.Size)
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

// sameContent compares a file just written with one that is there.
func sameContent(f *os.File, path string) (bool, error) {
	other, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer other.Close() // read only
	a, err := f.Stat()
	if err != nil {
		return false, err
	}
	b, err := other.Stat()
	if err != nil || a.Size() != b.Size() {
		return false, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	x, y := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(f, x)
		if n == 0 {
			return errors.Is(err, io.EOF), nil
		}
		m, err := io.ReadFull(other, y[:n])
		if m != n {
			return false, err
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return false, nil
		}
	}
}
