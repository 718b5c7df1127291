package outputs

import (
	"context"
	"log/slog"
	"os"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/atomicfile"
	"xtoo/internal/engine"
	"xtoo/oci"
	"xtoo/projects"
	"xtoo/sif"
)

// sifVersion is part of what a SIF file is made from: it changes when the same image would give another file.
const sifVersion = "1"

// SIF writes SIF files: those that configurations ask for, and those of Path.
type SIF struct {
	Place
	// Compression: gzip (the default), zstd or xz. Jobs is how many cores compress. Default: all.
	Compression string
	Jobs        int
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
		return engine.Key("sif", sifVersion, img.Config.Digest.String(), withDefault(s.Compression, "gzip"), digest.FromBytes(t.project.Project.Source).String())
	}
	k.fill = func(ctx context.Context, p *product, to []*atomicfile.File) ([]digest.Digest, error) {
		d, err := s.fill(ctx, to[0].File, p.image, p.warner(k.output, s.Events))
		return []digest.Digest{d}, err
	}
	return k
}

func (s *SIF) asked() asked {
	return asked{output: projects.OutputSIF, flag: "--sif", path: s.Path, claims: s.Claims}
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

// fill writes the content of a SIF file and returns its digest.
func (s *SIF) fill(ctx context.Context, to *os.File, img *engine.Image, warn func(string)) (digest.Digest, error) {
	data, err := documentOf(s.Store, img.Config)
	if err != nil {
		return "", err
	}
	cfg, err := oci.ParseConfig(data)
	if err != nil {
		return "", err
	}
	in := sif.Image{
		Layers: layersOf(s.Store, img), Config: cfg, Arch: img.Arch.Architecture, Created: img.Created, Definition: img.Project.Project.Source,
	}
	if err := sif.Write(ctx, to, in, sif.Options{Compression: withDefault(s.Compression, "gzip"), Jobs: s.Jobs, Log: s.Log, Warn: warn}); err != nil {
		return "", err
	}
	return digestOf(to)
}
