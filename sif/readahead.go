package sif

import (
	"errors"
	"fmt"
	"hash"
	"io"

	"github.com/opencontainers/go-digest"
)

const (
	aheadSize  = 256 << 10 // bytes of a buffer
	aheadCount = 16        // buffers of a stream, made when they are needed
)

// errDigest is what [stream.finish] reports for a layer whose content is not what its diff id says.
var errDigest = errors.New("the content is not what the diff id says")

// A stream reads a layer in a goroutine of its own, some buffers ahead, so that decompressing and checking
// the digest go on while the entries before are compressed again.
type stream struct {
	rc       io.ReadCloser
	full     chan []byte // closed by the goroutine after the last buffer; err and sum are then set
	free     chan []byte
	stop     chan struct{}
	buf, cur []byte
	err      error // why the source ended: io.EOF or worse
	sum      hash.Hash
	want     digest.Digest
	onRead   func(n int) // called by Read with what it took from the source
}

// newStream starts reading rc, which Close closes. A want that is not empty is compared by finish.
func newStream(rc io.ReadCloser, want digest.Digest, onRead func(int)) (*stream, error) {
	s := &stream{rc: rc, full: make(chan []byte, aheadCount), free: make(chan []byte, aheadCount),
		stop: make(chan struct{}), want: want, onRead: onRead}
	if want != "" {
		if err := want.Validate(); err != nil {
			return nil, errors.Join(fmt.Errorf("diff id %q: %w", want, err), rc.Close())
		}
		s.sum = want.Algorithm().Hash()
	}
	for range aheadCount {
		s.free <- nil
	}
	go s.run()
	return s, nil
}

func (s *stream) run() {
	defer close(s.full)
	for {
		var buf []byte
		select {
		case <-s.stop:
			return
		case buf = <-s.free:
		}
		if buf == nil {
			buf = make([]byte, aheadSize)
		}
		n, err := fill(s.rc, buf)
		if n > 0 {
			if s.sum != nil {
				s.sum.Write(buf[:n]) // a hash never fails
			}
			s.full <- buf[:n] // never blocks: there are as many places as buffers
		}
		if err != nil {
			s.err = err
			return
		}
	}
}

// fill is io.ReadFull without its io.ErrUnexpectedEOF, which here must mean a source that was cut short.
func fill(r io.Reader, buf []byte) (n int, err error) {
	for idle := 0; n < len(buf) && err == nil; {
		var m int
		m, err = r.Read(buf[n:])
		n += m
		if m > 0 {
			idle = 0
		} else if idle++; idle > 100 && err == nil {
			err = io.ErrNoProgress
		}
	}
	return n, err
}

func (s *stream) Read(p []byte) (int, error) {
	if len(s.cur) == 0 {
		if s.buf != nil {
			s.free <- s.buf[:cap(s.buf)]
			s.buf = nil
		}
		buf, ok := <-s.full
		if !ok {
			return 0, s.err
		}
		s.buf, s.cur = buf, buf
		s.onRead(len(buf))
	}
	n := copy(p, s.cur)
	s.cur = s.cur[n:]
	return n, nil
}

// finish reads what stands after the end of the archive, so that the checks of the compressed format and the
// digest cover the whole, and compares the digest.
func (s *stream) finish() error {
	if _, err := io.Copy(io.Discard, s); err != nil {
		return err
	}
	if s.sum == nil {
		return nil
	}
	if got := digest.NewDigest(s.want.Algorithm(), s.sum); got != s.want {
		return fmt.Errorf("%w: %s, but it is %s", errDigest, s.want, got)
	}
	return nil
}

// Close ends the goroutine and closes the source.
func (s *stream) Close() error {
	close(s.stop)
	for range s.full { // waits for the goroutine, which is not to read from a closed source
	}
	return s.rc.Close()
}
