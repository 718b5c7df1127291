package outputs

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/atomicfile"
	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/sif"
)

// sifVersion is part of what a SIF file is made from: it changes when the same image would give another file.
const sifVersion = "1"

// SIF writes SIF files: those that configurations ask for, and those of Path.
type SIF struct {
	// Store has the images, and remembers the files.
	Store *store.Store
	// Path is the file or (a directory, or with a slash at its end) the directory to write to; empty: only what
	// configurations ask for.
	Path string
	// Compression: gzip (the default), zstd or xz. Jobs is how many cores compress. Default: all.
	Compression string
	Jobs        int
	// Force replaces files that have other bytes.
	Force bool
	// Log takes what is for developers; nil discards.
	Log *slog.Logger
	// Events is told what of an image a file cannot hold; nil: nobody is told.
	Events engine.Sink
}

// kind is how SIF files are written.
func (s *SIF) kind() *kind {
	k := &kind{asked: s.asked(), store: s.Store, force: s.Force, perm: 0o755}
	k.made = func(t target, img *engine.Image) digest.Digest {
		// The blobs' compression does not reach a SIF file: the config does.
		return engine.Key("sif", sifVersion, img.Config.Digest.String(), s.compression(), digest.FromBytes(t.project.Project.Source).String())
	}
	k.fill = func(ctx context.Context, p *product, to []*atomicfile.File) ([]digest.Digest, error) {
		d, err := s.fill(ctx, to[0].File, p.image, k.warner(p, s.Events))
		return []digest.Digest{d}, err
	}
	return k
}

func (s *SIF) asked() asked {
	return asked{
		what: "SIF", flag: "--sif", path: s.Path, withPlatform: projects.SIFPath,
		configured: func(p *projects.PlannedProject) string { return p.SIF },
		named:      (*projects.PlannedProject).SIFName,
	}
}

// Check implements [engine.Output].
func (s *SIF) Check(list []*projects.PlannedProject) error {
	a := s.asked()
	return a.check(list)
}

// Write implements [engine.Output]. A file with other bytes is refused with errExists, unless it may be replaced.
func (s *SIF) Write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	return s.kind().write(ctx, images, done)
}

func (s *SIF) compression() string {
	if s.Compression == "" {
		return "gzip"
	}
	return s.Compression
}

// fill writes the content of a SIF file and returns its digest.
func (s *SIF) fill(ctx context.Context, to *os.File, img *engine.Image, warn func(string)) (digest.Digest, error) {
	cfg, err := s.config(img.Config)
	if err != nil {
		return "", err
	}
	in := sif.Image{
		Layers: layersOf(s.Store, img), Config: cfg, Arch: img.Arch.Architecture, Created: img.Created, Definition: img.Project.Project.Source,
	}
	if err := sif.Write(ctx, to, in, sif.Options{Compression: s.compression(), Jobs: s.Jobs, Log: s.Log, Warn: warn}); err != nil {
		return "", err
	}
	if _, err := to.Seek(0, io.SeekStart); err != nil {
		return "", err
	}
	h := sha256.New()
	if _, err := io.CopyBuffer(h, to, make([]byte, 1<<20)); err != nil {
		return "", err
	}
	return digest.NewDigest(digest.SHA256, h), nil
}

// config reads an image's config from the store.
func (s *SIF) config(d v1.Descriptor) (v1.Image, error) {
	r, err := s.Store.OpenBlob(d.Digest)
	if err != nil {
		return v1.Image{}, err
	}
	defer r.Close() // read only
	data, err := io.ReadAll(io.LimitReader(r, d.Size+1))
	if err != nil {
		return v1.Image{}, err
	}
	if digest.FromBytes(data) != d.Digest {
		return v1.Image{}, fmt.Errorf("config %s: %w", d.Digest, store.ErrDamaged)
	}
	return oci.ParseConfig(data)
}
