package layers

import (
	"bytes"
	"errors"
	"io"

	"github.com/klauspost/compress/zstd"
)

// zstdLevel is part of the format: with another one the same layer has other bytes.
const zstdLevel = zstd.SpeedDefault

// zstdFrame is how much of a layer goes into one frame (RFC 8878, 3.1): frames are compressed side by side, and whoever reads
// them may do so as well. It is the library's window at that level, so that little is lost by it. It is part of the format.
const zstdFrame = 8 << 20

// maxZstdJobs is how many frames are in work at most: more would wait for what yields the stream, and each takes 40 MB.
const maxZstdJobs = 8

// A zstdWriter divides a stream into frames. Each is compressed in a goroutine of its own, which ends by itself; they are
// written by whoever writes to it.
type zstdWriter struct {
	w      io.Writer
	jobs   int
	next   *frame   // is being filled
	work   []*frame // in order
	spare  []*frame
	err    error
	closed bool
}

// A frame is a part of the stream on its way.
type frame struct {
	z    *zstd.Encoder
	in   []byte
	out  bytes.Buffer
	done chan error
}

func newZstdWriter(w io.Writer, jobs int) *zstdWriter {
	return &zstdWriter{w: w, jobs: min(max(1, jobs), maxZstdJobs)}
}

// Write takes the next bytes. A frame is begun when there is something for it, so that a short stream is one frame.
func (z *zstdWriter) Write(p []byte) (int, error) {
	if z.closed {
		return 0, errors.New("compress: the stream has ended")
	}
	written := 0
	for len(p) > 0 && z.err == nil {
		if z.next != nil && len(z.next.in) == zstdFrame {
			z.begin()
			continue
		}
		if z.next == nil {
			if z.next, z.err = z.newFrame(); z.err != nil {
				break
			}
		}
		n := min(len(p), zstdFrame-len(z.next.in))
		z.next.in = append(z.next.in, p[:n]...)
		p, written = p[n:], written+n
	}
	return written, z.err
}

// begin compresses what is full, once there are few enough in work.
func (z *zstdWriter) begin() {
	if len(z.work) == z.jobs {
		z.finishOne()
	}
	f := z.next
	z.next, z.work = nil, append(z.work, f)
	go func() { f.done <- f.compress() }()
}

// finishOne waits for the oldest frame and writes it.
func (z *zstdWriter) finishOne() {
	f := z.work[0]
	z.work = z.work[1:]
	z.err = errors.Join(z.err, <-f.done)
	if z.err == nil {
		_, z.err = z.w.Write(f.out.Bytes())
	}
	z.spare = append(z.spare, f)
}

func (z *zstdWriter) newFrame() (*frame, error) {
	if n := len(z.spare); n > 0 {
		f := z.spare[n-1]
		z.spare = z.spare[:n-1]
		f.in = f.in[:0]
		f.out.Reset()
		return f, nil
	}
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstdLevel), zstd.WithEncoderConcurrency(1))
	return &frame{z: e, done: make(chan error, 1)}, err
}

func (f *frame) compress() error {
	f.z.Reset(&f.out)
	_, err := f.z.Write(f.in)
	return errors.Join(err, f.z.Close())
}

// Close ends the stream. Only the first call does something.
func (z *zstdWriter) Close() error {
	if z.closed {
		return nil
	}
	z.closed = true
	for len(z.work) > 0 {
		z.finishOne()
	}
	if z.err == nil && z.next != nil {
		z.err = z.next.compress()
		if z.err == nil {
			_, z.err = z.w.Write(z.next.out.Bytes())
		}
	}
	z.next, z.spare = nil, nil
	return z.err
}
