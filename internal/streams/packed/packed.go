// Package packed recognises compressed streams by their content, never by a name, and opens them:
//
//	stream ── Open ──> gzip, zstd, xz, bzip2 or none ── the stream that was packed
//
// It must not know what is packed: a stage3, a layer. Decoding an xz file on several cores, which needs the whole file,
// is unpack's.
package packed

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"

	"xtoo/internal/streams"
)

// Format is how a stream is packed: the suffix that a tarball of its kind has.
type Format string

// The formats.
const (
	None  Format = "tar"
	XZ    Format = "xz"
	Zstd  Format = "zst"
	Gzip  Format = "gz"
	Bzip2 Format = "bz2"
)

// What can be wrong with a packed stream.
var (
	// ErrTruncated says that the input ends too early: a download that broke off.
	ErrTruncated = errors.New("truncated")
	// ErrCorrupt says that the input contradicts itself: a checksum or a size does not fit.
	ErrCorrupt = errors.New("corrupt")
	// ErrUnsupported says that the input may well be right, but needs something that is not done here: an unusual
	// filter, a dictionary larger than [MaxWindow].
	ErrUnsupported = errors.New("not supported")
)

// MaxWindow bounds the dictionary or window of a packed stream, in bytes: what `zstd --long` uses, and twice what
// `xz -9` does. A decoder holds it in memory for as long as it runs.
const MaxWindow = 128 << 20

// magics are the first bytes of the formats.
var magics = []struct {
	magic  string
	format Format
}{
	{"\xfd7zXZ\x00", XZ},
	{"\x28\xb5\x2f\xfd", Zstd},
	{"\x1f\x8b\x08", Gzip},
	{"BZh", Bzip2},
}

// headSize is enough of a stream to recognise it by, in bytes.
const headSize = 6

// Detect recognises a format by the first bytes of a stream. What is nothing else is not packed.
func Detect(head []byte) Format {
	for _, m := range magics {
		if bytes.HasPrefix(head, []byte(m.magic)) {
			return m.format
		}
	}
	// Parallel zstd compressors begin with a skippable frame, RFC 8878 section 3.1.2.
	if len(head) >= 4 && head[0]&0xf0 == 0x50 && string(head[1:4]) == "\x2a\x4d\x18" {
		return Zstd
	}
	return None
}

// CheckWhole returns [ErrTruncated] if a whole stream is only the beginning of a format's first bytes.
func CheckWhole(stream []byte) error {
	for _, m := range magics {
		if n := len(stream); n > 0 && n < len(m.magic) && m.magic[:n] == string(stream) {
			return AtByte(ErrTruncated, m.format, int64(n), "only the first bytes are there")
		}
	}
	return nil
}

// AtByte adds the place in a stream to one of the sentinels.
func AtByte(kind error, format Format, off int64, detail string) error {
	return fmt.Errorf("%s data %w at byte %d: %s", format, kind, off, detail)
}

// bufferSize is how much of the packed stream is read at a time.
const bufferSize = 256 << 10

// Open recognises a stream and returns what is packed in it, decoded on one core as it is read: see [NewReader].
func Open(r io.Reader) (io.ReadCloser, Format, error) {
	in := &streams.Counter{R: r}
	buf := bufio.NewReaderSize(in, bufferSize)
	head, err := buf.Peek(headSize)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, "", err
	}
	f := Detect(head)
	if f == None {
		return io.NopCloser(buf), f, nil
	}
	return &reader{in: in, buf: buf, format: f, jobs: 1}, f, nil
}

// NewReader returns what is packed in r, which has the given format. Where the format allows it, it is decoded on up to
// jobs cores. Errors of r are passed on; those of the packed stream wrap [ErrTruncated], [ErrCorrupt] or
// [ErrUnsupported]. Nothing is read before the first Read. The caller closes the reader; that does not close r.
func NewReader(r io.Reader, f Format, jobs int) io.ReadCloser {
	if f == None {
		return io.NopCloser(r)
	}
	in := &streams.Counter{R: r}
	return &reader{in: in, buf: bufio.NewReaderSize(in, bufferSize), format: f, jobs: jobs}
}

// A reader gives a decoder's errors their meaning.
type reader struct {
	in     *streams.Counter
	buf    *bufio.Reader
	format Format
	jobs   int
	dec    decoder
	err    error
}

// A decoder is one of a library. kind tells which of the sentinels an error of it stands for, or returns an error to
// use as it is. free, if any, releases what it holds.
type decoder struct {
	io.Reader
	kind func(error) error
	free func()
}

// Read implements io.Reader.
func (r *reader) Read(p []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	var n int
	var err error
	if r.dec.Reader == nil {
		r.dec, err = newDecoder(r.buf, r.format, r.jobs)
		err = streams.NoEOF(err) // the magic was there, so it is not empty
	}
	if err == nil {
		n, err = r.dec.Read(p)
	}
	if err != nil {
		r.err = r.meaning(err)
	}
	return n, r.err
}

func (r *reader) meaning(err error) error {
	switch {
	case errors.Is(err, io.EOF):
		return io.EOF
	case r.in.Err != nil:
		return r.in.Err
	case errors.Is(err, ErrUnsupported):
		return err
	}
	kind := ErrTruncated
	if !errors.Is(err, io.ErrUnexpectedEOF) {
		kind = r.dec.kind(err)
	}
	if kind == ErrTruncated || kind == ErrCorrupt { //nolint:errorlint // the bare sentinel is meant: anything else is complete
		return AtByte(kind, r.format, r.in.N, err.Error())
	}
	return kind
}

// Close releases what the decoder holds.
func (r *reader) Close() error {
	if r.dec.free != nil {
		r.dec.free()
		r.dec.free = nil
	}
	if r.err == nil {
		r.err = io.ErrClosedPipe
	}
	return nil
}
