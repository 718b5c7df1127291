package outputs

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/atomicfile"
	"xtoo/internal/engine"
	"xtoo/layers/merge"
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

// A sifFile is a SIF file on its way.
type sifFile struct {
	sifTarget
	image      *engine.Image
	definition []byte
	// made is a digest of what it is made from. The blobs' compression does not reach a SIF file: the config does.
	made digest.Digest
	// there: a file has its name. known is what is remembered of it, if it was not changed since.
	there      bool
	known      store.FileRecord
	remembered bool
}

// Write implements [engine.Output]. A file with other bytes is refused with errExists, unless it may be replaced.
func (s *SIF) Write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	files, err := s.look(images)
	if err != nil {
		return err
	}
	for _, f := range files {
		w, err := f.unchanged(), error(nil)
		if w == nil {
			w, err = s.write(ctx, f)
		}
		if err != nil {
			return err
		}
		done(*w)
	}
	return nil
}

// lookers is how many files are looked at at a time.
const lookers = 4

// look finds out what is there of each file.
func (s *SIF) look(images []engine.Image) ([]*sifFile, error) {
	of := make(map[*projects.PlannedProject]*engine.Image, len(images))
	var asked []*projects.PlannedProject
	for i := range images {
		of[images[i].Project] = &images[i]
		asked = append(asked, images[i].Project)
	}
	targets, err := s.targets(asked)
	if err != nil {
		return nil, err
	}
	files, errs := make([]*sifFile, len(targets)), make([]error, len(targets))
	var wg sync.WaitGroup
	for first := range min(lookers, len(targets)) {
		wg.Go(func() {
			for i := first; i < len(targets); i += lookers {
				files[i], errs[i] = s.lookAt(targets[i], of[targets[i].project])
			}
		})
	}
	wg.Wait()
	return files, errors.Join(errs...)
}

func (s *SIF) compression() string {
	if s.Compression == "" {
		return "gzip"
	}
	return s.Compression
}

func (s *SIF) lookAt(t sifTarget, img *engine.Image) (*sifFile, error) {
	f := &sifFile{sifTarget: t, image: img, definition: t.project.Project.Source}
	f.made = engine.Key("sif", sifVersion, img.Config.Digest.String(), s.compression(), digest.FromBytes(f.definition).String())
	id, err := store.IdentifyFile(t.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return nil, fmt.Errorf("SIF: %w", err)
	}
	f.there = true
	f.known, f.remembered = s.Store.RememberedFile(id)
	return f, nil
}

// written says that the file is there now.
func (f *sifFile) written(d digest.Digest, size int64, changed bool) *engine.Written {
	return &engine.Written{
		Project: f.project.Project.Tag, Platform: f.project.Platform(), Path: f.path, Digest: d, Bytes: size, Changed: changed,
	}
}

// unchanged says that the file is up to date, if it is remembered to be.
func (f *sifFile) unchanged() *engine.Written {
	if !f.remembered || f.known.Made != f.made {
		return nil
	}
	return f.written(f.known.Digest, f.known.ID.Size, false)
}

// mayReplace says whether a file with other bytes may be replaced: a configuration names it, and xtoo wrote what is there.
func (f *sifFile) mayReplace() bool { return f.own && f.remembered && f.known.Made != "" }

// write writes a file, if it has not the same bytes already.
func (s *SIF) write(ctx context.Context, f *sifFile) (*engine.Written, error) {
	if err := os.MkdirAll(filepath.Dir(f.path), 0o755); err != nil {
		return nil, fmt.Errorf("SIF: %w", err)
	}
	to, err := atomicfile.CreateOutput(f.path, 0o755)
	if err != nil {
		return nil, fmt.Errorf("SIF %s: %w", f.path, err)
	}
	defer to.Abort()
	d, err := s.fill(ctx, to.File, f)
	same := false
	if err == nil && f.there {
		same, err = sameContent(to.File, f.path)
	}
	if err != nil {
		return nil, fmt.Errorf("SIF %s: %w", f.path, err)
	}
	if f.there && !same && !s.Force && !f.mayReplace() {
		return nil, &existsError{f.path}
	}
	if !same {
		if err := to.Commit(); err != nil {
			return nil, fmt.Errorf("SIF %s: %w", f.path, err)
		}
	}
	id, err := store.IdentifyFile(f.path)
	if err != nil {
		return nil, fmt.Errorf("SIF: %w", err)
	}
	if err := s.Store.RememberFile(store.FileRecord{ID: id, Digest: d, Made: f.made}); err != nil {
		return nil, err
	}
	return f.written(d, id.Size, !same), nil
}

// warn tells the user about a file.
func (s *SIF) warn(f *sifFile) func(text string) {
	if s.Events == nil {
		return nil
	}
	return func(text string) {
		s.Events(engine.Event{Kind: engine.EventWarning, Text: fmt.Sprintf("SIF %s: %s", f.path, text)})
	}
}

// fill writes the content of a SIF file and returns its digest.
func (s *SIF) fill(ctx context.Context, to *os.File, f *sifFile) (digest.Digest, error) {
	cfg, err := s.config(f.image.Config)
	if err != nil {
		return "", err
	}
	in := sif.Image{Config: cfg, Arch: f.image.Arch.Architecture, Created: f.image.Created, Definition: f.definition}
	for i := len(f.image.Links) - 1; i >= 0; i-- {
		d := f.image.Links[i].DiffID
		in.Layers = append(in.Layers, merge.Layer{Open: func() (io.ReadCloser, error) { return s.Store.OpenLayer(d) }, DiffID: d})
	}
	if err := sif.Write(ctx, to, in, sif.Options{Compression: s.compression(), Jobs: s.Jobs, Log: s.Log, Warn: s.warn(f)}); err != nil {
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
