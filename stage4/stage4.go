package stage4

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"

	"xtoo/internal/streams/xz"
	"xtoo/layers"
	"xtoo/layers/merge"
)

// A Format is how a tarball is compressed: the end of its name.
type Format string

// The formats.
const (
	formatXZ   Format = ".tar.xz"
	formatZstd Format = ".tar.zst"
	formatGzip Format = ".tar.gz"
	formatTar  Format = ".tar"
)

// FormatOf returns the format that a file's name ends in; "" if it is none.
func FormatOf(name string) Format {
	for _, f := range []Format{formatXZ, formatZstd, formatGzip, formatTar} {
		if strings.HasSuffix(name, string(f)) {
			return f
		}
	}
	return ""
}

// maxZstdJobs bounds the memory: each takes 40 MB.
const maxZstdJobs = 5

func (f Format) compressor(w io.Writer, jobs int) (io.WriteCloser, error) {
	switch f {
	case formatXZ:
		return xz.NewWriter(w, jobs), nil
	case formatZstd:
		return layers.NewCompressor(w, layers.Zstd, min(jobs, maxZstdJobs))
	case formatGzip:
		return layers.NewCompressor(w, layers.Gzip, jobs)
	case formatTar:
		return layers.NewCompressor(w, layers.None, jobs)
	}
	return nil, fmt.Errorf("unknown format %q", string(f))
}

// Files are what [Write] writes into: open for reading and writing. What they held before is lost. Write neither closes nor
// syncs them.
type Files struct {
	// Name is the tarball's, without a directory, as the digests say it.
	Name              string
	Tarball, Contents *os.File
	// Spool holds what waits; its content is nobody's.
	Spool *os.File
}

// Options of [Write].
type Options struct {
	Format Format
	Jobs   int // cores that compress, at least one; never changes the output
	// Log hears of what foreign images make necessary; nil discards.
	Log *slog.Logger
	// Warn is told what of the image is not in the tarball; nil: nobody is told.
	Warn func(text string)
}

// Write writes the tarball of an image, of which the layers are given topmost first, and the listing of its members. After
// an error the files' content is undefined. The bytes depend on the layers, Name and Format alone.
func Write(ctx context.Context, to Files, stack []merge.Layer, o Options) (*Digests, error) {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	w := &writing{files: to, stack: stack, o: o}
	err := w.attempt(ctx, true)
	if errors.Is(err, errOrder) {
		o.Log.Debug("the lowest layer is not in the order of a walk: everything is kept until its place is known")
		err = w.attempt(ctx, false)
	}
	if err != nil {
		return nil, fmt.Errorf("write stage4: %w", err)
	}
	if w.lost > 0 && o.Warn != nil {
		o.Warn(fmt.Sprintf("%d extended attributes are left out: no file can have them", w.lost))
	}
	return &Digests{name: to.Name, tarball: w.tarball, contents: w.contents}, nil
}

// A writing is a tarball on its way.
type writing struct {
	files             Files
	stack             []merge.Layer
	o                 Options
	tarball, contents *hashed
	// What is begun, each to be ended before the next: nil until there is something.
	sorter  *sorter
	closers []io.Closer
	lost    int64
}

// attempt writes all of it once, with the lowest layer in its own order or not.
func (w *writing) attempt(ctx context.Context, straight bool) error {
	defer w.abort()
	stack := append([]merge.Layer(nil), w.stack...)
	if n := len(stack); n > 0 && straight {
		last := stack[n-1]
		stack[n-1].Open = func() (io.ReadCloser, error) {
			w.sorter.straight = true
			return last.Open()
		}
	}
	view, err := merge.Layers(ctx, stack, func() (merge.Sink, error) {
		w.abort()
		if err := w.begin(); err != nil {
			return nil, err
		}
		return w.sorter, nil
	}, merge.Options{Log: w.o.Log})
	if err != nil {
		return err
	}
	for name := range view.Implied() {
		if straight {
			return errOrder
		}
		w.sorter.insert(name)
	}
	if err := w.sorter.finish(!straight || len(w.stack) == 0); err != nil {
		return err
	}
	w.lost = w.sorter.lost
	return w.end()
}

// begin makes the files empty, and what writes to them.
func (w *writing) begin() error {
	for _, f := range []*os.File{w.files.Tarball, w.files.Contents, w.files.Spool} {
		if err := f.Truncate(0); err != nil {
			return err
		}
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
	}
	var err error
	if w.tarball, err = newHashed(w.files.Tarball); err != nil {
		return err
	}
	if w.contents, err = newHashed(w.files.Contents); err != nil {
		return err
	}
	packed, err := w.o.Format.compressor(w.tarball, max(1, w.o.Jobs))
	if err != nil {
		return err
	}
	listing := gzip.NewWriter(w.contents)
	listing.ModTime = time.Unix(0, 0) // none
	w.closers = []io.Closer{packed, listing}
	out := newArchive(packed, bufio.NewWriterSize(listing, 1<<16))
	w.sorter = newSorter(out, &spool{file: w.files.Spool})
	return nil
}

// end completes the files.
func (w *writing) end() error {
	err := w.sorter.out.end()
	for _, c := range w.closers {
		if err == nil {
			err = c.Close()
		}
	}
	w.closers = nil
	if err != nil {
		return err
	}
	if err := w.tarball.Flush(); err != nil {
		return err // the listing's would be the same once more
	}
	return w.contents.Flush()
}

// abort ends the goroutines of what is not wanted any more.
func (w *writing) abort() {
	for _, c := range w.closers {
		if a, ok := c.(interface{ Abort() }); ok {
			a.Abort()
			continue
		}
		_ = c.Close() // what it still writes is not wanted, nor whether it can
	}
	w.closers = nil
}
