package outputs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/internal/atomicfile"
	"xtoo/internal/engine"
	"xtoo/layers/merge"
	"xtoo/layers/store"
	"xtoo/projects"
)

// A kind of outputs is written as one file for each image, or that one and some beside it.
type kind struct {
	asked
	store *store.Store
	// force replaces files that have other bytes.
	force bool
	perm  fs.FileMode
	// made is a digest of what an image's files are made from.
	made func(t target, img *engine.Image) digest.Digest
	// fill writes the content of the files, that which was asked for first, and returns their digests.
	fill func(ctx context.Context, p *product, to []*atomicfile.File) ([]digest.Digest, error)
}

// A product is what is written of one image.
type product struct {
	target
	image *engine.Image
	made  digest.Digest
	files []productFile // the one that was asked for first
}

// A productFile is a file on its way.
type productFile struct {
	path string
	// there: a file has its name. known is what is remembered of it, if it was not changed since.
	there      bool
	known      store.FileRecord
	remembered bool
}

// write writes what was asked for of images, as [engine.Output] has it. A file with other bytes is refused with errExists,
// unless it may be replaced.
func (k *kind) write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	products, err := k.look(images)
	if err != nil {
		return err
	}
	for _, p := range products {
		w := p.unchanged()
		if w == nil {
			if w, err = k.make(ctx, p); err != nil {
				return err
			}
		}
		done(*w)
	}
	return nil
}

// lookers is how many files are looked at at a time.
const lookers = 4

// look finds out what is there of each product.
func (k *kind) look(images []engine.Image) ([]*product, error) {
	of := make(map[*projects.PlannedProject]*engine.Image, len(images))
	var list []*projects.PlannedProject
	for i := range images {
		of[images[i].Project] = &images[i]
		list = append(list, images[i].Project)
	}
	targets, err := k.targets(list)
	if err != nil {
		return nil, err
	}
	products, errs := make([]*product, len(targets)), make([]error, len(targets))
	var wg sync.WaitGroup
	for first := range min(lookers, len(targets)) {
		wg.Go(func() {
			for i := first; i < len(targets); i += lookers {
				products[i], errs[i] = k.lookAt(targets[i], of[targets[i].project])
			}
		})
	}
	wg.Wait()
	return products, errors.Join(errs...)
}

func (k *kind) lookAt(t target, img *engine.Image) (*product, error) {
	p := &product{target: t, image: img, made: k.made(t, img)}
	for _, suffix := range append([]string{""}, k.beside...) {
		f := productFile{path: t.path + suffix}
		id, err := store.IdentifyFile(f.path)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s: %w", k.output, err)
		}
		if err == nil {
			f.there = true
			f.known, f.remembered = k.store.RememberedFile(id)
		}
		p.files = append(p.files, f)
	}
	return p, nil
}

// written says that the product is there now.
func (p *product) written(d digest.Digest, size int64, changed bool) *engine.Written {
	return &engine.Written{
		Project: p.project.Project.Tag, Platform: p.project.Platform(), Path: p.path, Digest: d, Bytes: size, Changed: changed,
	}
}

// unchanged says that the product is up to date, if all of it is remembered to be.
func (p *product) unchanged() *engine.Written {
	for _, f := range p.files {
		if !f.remembered || f.known.Made != p.made {
			return nil
		}
	}
	return p.written(p.files[0].known.Digest, p.files[0].known.ID.Size, false)
}

// mayReplace says whether a file with other bytes may be replaced: a configuration names it, and xtoo wrote what is there.
func (p *product) mayReplace(f productFile) bool {
	return p.own && f.remembered && f.known.Made != ""
}

// make writes a product, as far as its files have not the same bytes already: all of them, or none, and the one that was
// asked for last.
func (k *kind) make(ctx context.Context, p *product) (*engine.Written, error) {
	failed := func(err error) (*engine.Written, error) { return nil, failed(k.output, p.path, err) }
	if err := os.MkdirAll(filepath.Dir(p.path), 0o755); err != nil {
		return nil, fmt.Errorf("%s: %w", k.output, err)
	}
	to := make([]*atomicfile.File, len(p.files))
	for i, f := range p.files {
		var err error
		if to[i], err = atomicfile.CreateOutput(f.path, k.perm); err != nil {
			return failed(err)
		}
		defer to[i].Abort()
	}
	digests, err := k.fill(ctx, p, to)
	if err != nil {
		return failed(err)
	}
	same := make([]bool, len(to))
	for i, f := range p.files {
		if !f.there {
			continue
		}
		if same[i], err = sameContent(to[i].File, f.path); err != nil {
			return failed(err)
		}
		if !same[i] && !k.force && !p.mayReplace(f) {
			return nil, &existsError{output: k.output, flag: k.flag, path: f.path}
		}
	}
	for i := len(to) - 1; i >= 0; i-- {
		if same[i] {
			continue
		}
		if err := to[i].Commit(); err != nil {
			return failed(err)
		}
	}
	size, err := k.remember(p, digests)
	if err != nil {
		return nil, err
	}
	return p.written(digests[0], size, !allOf(same)), nil
}

// failed says what could not be written, and what to do where there is no room.
func failed(what projects.Output, path string, err error) error {
	err = fmt.Errorf("%s %s: %w", what, path, err)
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		return &fullError{err, filepath.Dir(path)}
	}
	return err
}

// fullError says that there was no room for a file.
type fullError struct {
	error
	dir string
}

func (e *fullError) Unwrap() error { return e.error }

// Hint says what to do.
func (e *fullError) Hint() string {
	return "make room on the file system of " + e.dir + " and build again; nothing is left of what was begun"
}

func allOf(list []bool) bool {
	for _, b := range list {
		if !b {
			return false
		}
	}
	return true
}

// remember writes down what the files are made from. It returns the size of the one that was asked for.
func (k *kind) remember(p *product, digests []digest.Digest) (size int64, err error) {
	for i := len(p.files) - 1; i >= 0; i-- {
		id, err := store.IdentifyFile(p.files[i].path)
		if err != nil {
			return 0, fmt.Errorf("%s: %w", k.output, err)
		}
		if err := k.store.RememberFile(store.FileRecord{ID: id, Digest: digests[i], Made: p.made}); err != nil {
			return 0, err
		}
		size = id.Size
	}
	return size, nil
}

// layersOf are the layers of an image in the store, topmost first.
func layersOf(s *store.Store, img *engine.Image) []merge.Layer {
	var stack []merge.Layer
	for i := len(img.Links) - 1; i >= 0; i-- {
		d := img.Links[i].DiffID
		stack = append(stack, merge.Layer{Open: func() (io.ReadCloser, error) { return s.OpenLayer(d) }, DiffID: d})
	}
	return stack
}

// warner tells the user about a product of a kind; nil: nobody is told.
func (p *product) warner(what projects.Output, events engine.Sink) func(text string) {
	if events == nil {
		return nil
	}
	return func(text string) {
		events(engine.Event{Kind: engine.EventWarning, Text: fmt.Sprintf("%s %s: %s", what, p.path, text)})
	}
}
