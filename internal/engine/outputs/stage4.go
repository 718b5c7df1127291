package outputs

import (
	"context"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/atomicfile"
	"xtoo/internal/engine"
	"xtoo/projects"
	"xtoo/stage4"
)

// stage4Version is part of what a tarball is made from: it changes when the same image would give another one.
const stage4Version = "1"

// Stage4 writes stage4 tarballs, with their digests and listings beside them: those that configurations ask for, and those
// of Path. How one is compressed its name says.
type Stage4 struct {
	Place
	// Jobs is how many cores compress. Default: all.
	Jobs int
	// Log takes what is for developers; nil discards.
	Log *slog.Logger
	// Events is told what of an image a tarball cannot hold; nil: nobody is told.
	Events engine.Sink
}

func (s *Stage4) asked() asked {
	return asked{
		output: projects.OutputStage4, flag: "--stage4", path: s.Path, claims: s.Claims,
		beside: []string{stage4.ContentsSuffix, stage4.DigestsSuffix, stage4.SHA256Suffix},
	}
}

// Check implements [engine.Output].
func (s *Stage4) Check(list []*projects.PlannedProject) error {
	a := s.asked()
	return a.check(list)
}

// Write implements [engine.Output]. A file with other bytes is refused with errExists, unless it may be replaced.
func (s *Stage4) Write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	k := &kind{
		asked: s.asked(), store: s.Store, force: s.Force, perm: 0o644, made: madeOf,
	}
	k.fill = func(ctx context.Context, p *product, to []*atomicfile.File) ([]digest.Digest, error) {
		return s.fill(ctx, p, to, p.warner(k.output, s.Events))
	}
	return k.write(ctx, images, done)
}

// madeOf is a digest of what a tarball is made from: its name is in the digests.
func madeOf(t target, img *engine.Image) digest.Digest {
	parts := []string{stage4Version, filepath.Base(t.path)}
	for _, l := range img.Links {
		parts = append(parts, l.DiffID.String())
	}
	return engine.Key("stage4", parts...)
}

// fill writes the tarball, its listing, and both kinds of digests.
func (s *Stage4) fill(ctx context.Context, p *product, to []*atomicfile.File, warn func(string)) ([]digest.Digest, error) {
	tarball, contents, digests, sha256 := to[0].File, to[1].File, to[2].File, to[3].File
	// The spool stands beside the tarball, where there must be room for as much, and never gets a name.
	spool, err := atomicfile.CreateOutput(p.path, 0o600)
	if err != nil {
		return nil, err
	}
	defer spool.Abort()
	o := stage4.Options{Format: stage4.FormatOf(p.path), Jobs: s.Jobs, Log: s.Log, Warn: warn}
	if o.Jobs == 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	files := stage4.Files{Name: filepath.Base(p.path), Tarball: tarball, Contents: contents, Spool: spool.File}
	d, err := stage4.Write(ctx, files, layersOf(s.Store, p.image), o)
	if err != nil {
		return nil, err
	}
	all := []digest.Digest{d.Tarball(), d.Contents()}
	for _, f := range []struct {
		to   *os.File
		text []byte
	}{{digests, d.File()}, {sha256, d.SHA256()}} {
		if _, err := f.to.Write(f.text); err != nil {
			return nil, err
		}
		all = append(all, digest.FromBytes(f.text))
	}
	return all, nil
}
