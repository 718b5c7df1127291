package unpack

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime"
	"sync"
	"syscall"
	"time"

	"xtoo/internal/streams"
	"xtoo/internal/streams/packed"
)

// defaultMemory is what the decoding of an .xz may hold, in bytes, unless [OpenOptions] says otherwise.
const defaultMemory = 160 << 20

// streamChunks is how many chunks a sequential decoder may run ahead.
const streamChunks = 16

// OpenOptions are options of [Open]. The zero value is ready to use.
type OpenOptions struct {
	// Jobs is how many cores decoding may use. Default: all.
	Jobs int

	// memory bounds, in bytes, what decoders hold and the decoded data that blocks of an .xz hold while
	// they are decoded side by side: fewer are, where it is not enough for all cores. One block is
	// always decoded, whatever dictionary (up to 128 MiB) it needs. Default: defaultMemory.
	memory int64

	// Log receives what is decided about a file, at debug level. Default: nothing is logged.
	Log *slog.Logger
}

func (o OpenOptions) withDefaults() OpenOptions {
	if o.Jobs <= 0 {
		o.Jobs = runtime.GOMAXPROCS(0)
	}
	if o.memory <= 0 {
		o.memory = defaultMemory
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return o
}

// Open opens a tarball, compressed or not, and returns its tar stream and what it is packed as. The
// content decides, never the name.
//
// The stream ends with io.EOF only if the whole file was there and every check in it fits; else with an
// error that says which of it is not so, or what of it is not supported, or with the context's error.
// (A file without compression holds nothing to check: that its end is missing is seen by [Copy].) A file
// that holds no tar is refused here already, with [ErrNotTar] and a guess at what it is instead.
//
// The caller closes the stream. Close ends whatever still runs, at any time, from any goroutine, and
// may be called again. When ctx ends, so does the stream, but it must still be closed.
//
// path is a regular file or a pipe that somebody already writes to.
func Open(ctx context.Context, path string, o OpenOptions) (io.ReadCloser, packed.Format, error) {
	o = o.withDefaults()
	if err := ctx.Err(); err != nil {
		return nil, "", err
	}
	// A pipe nobody writes to must not block for ever.
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, "", err
	}
	s := &stream{file: file}
	format, err := s.open(ctx, o)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("open %s: %w", path, err), s.Close())
	}
	return s, format, nil
}

// stream is what [Open] returns.
type stream struct {
	file    *os.File
	r       io.Reader     // head, then the rest
	dec     io.Closer     // of what is decoded from front to back, else nil
	flow    *streams.Flow // nil without compression
	unhook  func() bool
	pipe    bool
	closing sync.Once
	err     error
}

// Read implements io.Reader.
func (s *stream) Read(p []byte) (int, error) { return s.r.Read(p) }

// Close implements io.Closer.
func (s *stream) Close() error {
	s.closing.Do(func() {
		if s.unhook != nil {
			s.unhook()
		}
		if s.flow != nil {
			s.flow.Stop()
		}
		if s.pipe { // a decoder may wait for it
			s.err = s.file.Close()
		}
		if s.flow != nil {
			s.flow.Wait()
		}
		if s.dec != nil {
			s.err = errors.Join(s.err, s.dec.Close())
		}
		if !s.pipe {
			s.err = errors.Join(s.err, s.file.Close())
		}
	})
	return s.err
}

func (s *stream) open(ctx context.Context, o OpenOptions) (packed.Format, error) {
	info, err := s.file.Stat()
	if err != nil {
		return "", err
	}
	size := info.Size()
	switch mode := info.Mode(); {
	case mode.IsDir():
		return "", syscall.EISDIR
	case !mode.IsRegular():
		s.pipe, size = true, -1
		// Deadlines work for pipes: it is how a blocked read ends with the context.
		s.unhook = context.AfterFunc(ctx, func() {
			_ = s.file.SetReadDeadline(time.Unix(1, 0)) // what has no deadline does not block for long
		})
	}
	head, err := s.head(ctx)
	if err != nil {
		return "", err
	}
	format := packed.Detect(head)
	whole := io.MultiReader(bytes.NewReader(head), s.file)
	if size >= 0 {
		whole = io.NewSectionReader(s.file, 0, 1<<62) // its own position: nothing else moves it
	}
	if format == packed.None {
		s.r = streams.WithContext(ctx, whole)
		return format, notTar(head, format)
	}
	err = errXZComplex
	if format == packed.XZ && size >= 0 {
		s.flow, err = openXZ(ctx, s.file, size, o)
	}
	switch {
	case errors.Is(err, errXZComplex):
		o.Log.Debug("reading from front to back", "format", format)
		dec := packed.NewReader(whole, format, o.Jobs)
		s.dec, s.flow = dec, streams.NewFlow(ctx, 1)
		s.flow.StartOne(streamChunks, dec)
	case err != nil:
		return "", err
	}
	first := make([]byte, blockSize)
	n, err := io.ReadFull(s.flow, first)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return "", err
	}
	s.r = io.MultiReader(bytes.NewReader(first[:n]), s.flow)
	return format, notTar(first[:n], format)
}

// head reads the first block of the file.
func (s *stream) head(ctx context.Context) ([]byte, error) {
	head := make([]byte, blockSize)
	n, err := io.ReadFull(streams.WithContext(ctx, s.file), head)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, err
	}
	if n == 0 {
		return nil, fmt.Errorf("%w: the file is empty", ErrNotTar)
	}
	head = head[:n]
	return head, packed.CheckWhole(head)
}
