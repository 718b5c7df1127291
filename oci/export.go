package oci

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"slices"

	v1 "github.com/opencontainers/image-spec/specs-go/v1"
)

// ExportOptions change how [Export] works. The zero value is what a build wants.
type ExportOptions struct {
	// keepReplaced leaves the blobs of replaced references where they are.
	keepReplaced bool

	// Log takes what was copied, skipped and removed. Nil discards.
	Log *slog.Logger
}

// ExportResult says what an export did.
type ExportResult struct {
	Changed bool  // index.json was written
	Copied  int   // blobs copied
	Bytes   int64 // their bytes
	removed int   // blobs removed that only replaced references used
}

// Export brings references and all that they reach from src into the layout in dir, which is made where dir is
// missing or empty. References of the same names are replaced, all others stay, and so do all blobs but those
// that only replaced references used. A directory that is no layout is [ErrNotLayout].
//
// The copies share nothing with the source but, where the file system can, their blocks: they have their own
// permissions and live on when the source is removed. A blob that is there with the right size is kept; for
// documents (manifests, configs) the content is compared too.
//
// Each blob appears whole or not at all and index.json is replaced last, under a lock, so that a reader sees
// the old references or the new ones, and two exports at once both keep theirs. After an error the index is as
// it was, and what this call had copied is gone; after a kill at any moment, unnamed blobs and files `.*.part`
// may be left, and the next export removes the latter.
//
// With nothing to do Export reads index.json and looks at the blobs' sizes, no more (see [Ref.Blobs]): it writes
// nothing, and a layout that is read-only and up to date is no error.
func Export(ctx context.Context, src BlobSource, dir string, refs []Ref, o ExportOptions) (ExportResult, error) {
	e := &export{src: src, dst: &Layout{dir: dir}, refs: refs, o: o, log: o.Log}
	if e.log == nil {
		e.log = slog.New(slog.DiscardHandler)
	}
	if err := e.gather(ctx); err != nil {
		return ExportResult{}, fmt.Errorf("export to layout %s: %w", dir, err)
	}
	if done, err := e.nothingToDo(); done || err != nil {
		return ExportResult{}, err
	}
	s, err := e.dst.begin(ctx)
	if err != nil {
		return ExportResult{}, err
	}
	err = e.run(ctx, s)
	s.end(err)
	return e.result, err
}

// export is one call of [Export].
type export struct {
	src   BlobSource
	dst   *Layout
	refs  []Ref
	blobs []v1.Descriptor // all that refs reach, each once
	o     ExportOptions
	log   *slog.Logger

	result ExportResult
}

// gather checks the references and lists what they reach.
func (e *export) gather(ctx context.Context) error {
	w := newWalker(e.src)
	names := map[string]bool{}
	for _, r := range e.refs {
		if err := r.check(); err != nil {
			return err
		}
		if names[r.Name] {
			return fmt.Errorf("%w: name %q is given twice", errReference, r.Name)
		}
		names[r.Name] = true
		if r.Blobs == nil {
			if err := w.add(ctx, r.Descriptor); err != nil {
				return fmt.Errorf("reference %q: %w", r.Name, err)
			}
			continue
		}
		w.seen[r.Descriptor.Digest] = r.Descriptor
		for _, b := range r.Blobs {
			if _, ok := w.seen[b.Digest]; ok {
				continue
			}
			if err := checkDescriptor(b); err != nil {
				return fmt.Errorf("reference %q: %w", r.Name, err)
			}
			w.seen[b.Digest] = b
		}
	}
	e.blobs = w.list()
	return nil
}

// nothingToDo tells without the lock and without opening a blob whether the layout has it all.
func (e *export) nothingToDo() (bool, error) {
	state, err := e.dst.inspect()
	if err != nil || state != stateLayout {
		return false, err
	}
	doc, err := e.dst.index()
	if err != nil || !doc.exists {
		return false, err
	}
	has := doc.lookup()
	for _, r := range e.refs {
		if !has(r) {
			return false, nil
		}
	}
	for _, b := range e.blobs {
		if ok, err := e.dst.hasSize(b); err != nil || !ok {
			return false, err
		}
	}
	return true, nil
}

// run does the work under the lock.
func (e *export) run(ctx context.Context, s *session) (err error) {
	if err := e.dst.removeLeftovers(true); err != nil {
		return err
	}
	doc, err := e.dst.index()
	if err != nil {
		return err
	}
	var copied []string
	defer func() {
		if err != nil {
			// Nothing in the index refers to them: left there, they would fill the disk for nobody.
			for _, name := range copied {
				_ = os.Remove(name) // the error that led here matters more
			}
			e.result = ExportResult{}
		}
	}()
	for _, b := range e.blobs {
		name, err := e.copy(ctx, s, b)
		if err != nil {
			return unwritable(e.dst.dir, fmt.Errorf("export to layout %s: %w", e.dst.dir, err))
		}
		if name != "" {
			copied = append(copied, name)
		}
	}
	var replaced []v1.Descriptor
	has := doc.lookup()
	for _, r := range e.refs { // each name once
		if has(r) {
			continue
		}
		old, err := doc.set(r)
		if err != nil {
			return fmt.Errorf("export to layout %s: reference %q: %w", e.dst.dir, r.Name, err)
		}
		replaced = append(replaced, old...)
		e.result.Changed = true
	}
	if !e.result.Changed && doc.exists {
		return nil
	}
	e.result.Changed = true
	if err := e.dst.writeIndex(doc); err != nil {
		if after, again := e.dst.index(); again == nil && slices.ContainsFunc(e.refs, after.has) {
			copied, s.made = nil, nil // renamed, but not known to be durable: what it refers to must stay
		}
		return err
	}
	if len(replaced) > 0 && !e.o.keepReplaced {
		e.result.removed = e.dst.collect(ctx, doc, replaced, e.log)
	}
	return nil
}

// hasSize tells whether a blob stands there as a regular file of the right size.
func (l *Layout) hasSize(d v1.Descriptor) (bool, error) {
	name, err := l.path(d.Digest)
	if err != nil {
		return false, err
	}
	info, err := os.Stat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("layout %s: %w", l.dir, err)
	}
	return info.Mode().IsRegular() && info.Size() == d.Size, nil
}
