package outputs

import (
	"context"
	"log/slog"
	"strconv"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/atomicfile"
	"xtoo/internal/engine"
	"xtoo/projects"
	"xtoo/sif"
)

// squashfsVersion is part of what a squashfs is made from: it changes when the same image would give another file.
const squashfsVersion = "1"

// Squashfs writes each image's root as a squashfs filesystem, and nothing else.
type Squashfs struct {
	Place
	// Compression: gzip (the default), zstd or xz. Jobs is how many cores compress. Default: all.
	Compression string
	Jobs        int
	// Log takes what is for developers; nil discards.
	Log *slog.Logger
	// Events is told what of an image a squashfs cannot hold; nil: nobody is told.
	Events engine.Sink
}

func (s *Squashfs) kind() *plainKind {
	k := &plainKind{Place: s.Place, output: projects.OutputSquashfs, flag: "--squashfs"}
	k.made = func(_ *projects.PlannedProject, img *engine.Image) digest.Digest {
		parts := []string{squashfsVersion, withDefault(s.Compression, "gzip"), strconv.FormatInt(img.Created.Unix(), 10)}
		for _, l := range img.Links {
			parts = append(parts, l.DiffID.String())
		}
		return engine.Key("squashfs", parts...)
	}
	k.fill = func(ctx context.Context, p *product, to *atomicfile.File) error {
		o := sif.Options{Compression: s.Compression, Jobs: s.Jobs, Log: s.Log, Warn: p.warner(k.output, s.Events)}
		return sif.WriteSquashfs(ctx, to.File, layersOf(s.Store, p.image), p.image.Created, o)
	}
	return k
}

// Check implements [engine.Output].
func (s *Squashfs) Check(list []*projects.PlannedProject) error { return s.kind().check(list) }

// Write implements [engine.Output]. A file with other bytes is refused with errExists, unless it may be replaced.
func (s *Squashfs) Write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	return s.kind().write(ctx, images, done)
}

func withDefault(text, def string) string {
	if text == "" {
		return def
	}
	return text
}
