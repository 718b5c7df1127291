package layers

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"math"

	"xtoo/internal/streams"
)

const maxMembers = math.MaxUint32 - 1

// A Reader reads the members of a layer's stream.
type Reader struct {
	ctx context.Context // lives as long as the stream
	in  io.Reader
	tar *tar.Reader
	m   Member
	n   int64
	err error
}

// NewReader returns a reader of the stream r, which is read in pieces of 512 bytes and more: the caller buffers it. It
// ends with ctx.
func NewReader(ctx context.Context, r io.Reader) *Reader {
	in := struct{ io.Reader }{r} // archive/tar is not to seek in it: whoever looks over its shoulder would miss something
	return &Reader{ctx: ctx, in: in, tar: tar.NewReader(in)}
}

// Next goes to the next member and returns it. It is valid until the next call; its strings and map are the caller's to
// keep. At the end Next reads what stands behind the archive, so that whoever checks or writes the stream sees all of it,
// and returns io.EOF. Errors name the member; those about what it says wrap [ErrUnsafe] or [ErrMember], one of a stream
// that was cut within a header or data io.ErrUnexpectedEOF. After an error every call returns it.
func (s *Reader) Next() (*Member, error) {
	if s.err == nil {
		s.err = s.next()
	}
	return &s.m, s.err
}

func (s *Reader) next() error {
	for {
		if err := s.ctx.Err(); err != nil {
			return err
		}
		hdr, err := s.tar.Next()
		switch {
		case errors.Is(err, io.EOF):
			return s.end()
		case err != nil && !errors.Is(err, tar.ErrInsecurePath): // names are checked below
			return fmt.Errorf("read the stream after %d members: %w", s.n, err)
		case hdr.Typeflag == tar.TypeXGlobalHeader:
			continue
		case s.n == maxMembers:
			return fmt.Errorf("%w: more than %d members", ErrMember, int64(maxMembers))
		}
		s.n++
		if s.m, err = MemberOf(hdr); err != nil {
			return fmt.Errorf("entry %q: %w", hdr.Name, err)
		}
		return nil
	}
}

// end reads what stands behind the archive. It is padding, or nothing that concerns a reader of tar.
func (s *Reader) end() error {
	if _, err := io.Copy(io.Discard, streams.WithContext(s.ctx, s.in)); err != nil {
		return fmt.Errorf("read the stream behind its %d members: %w", s.n, err)
	}
	return io.EOF
}

// Read reads the data of the member that Next has returned, up to io.EOF. The holes of a sparse file are zeros.
func (s *Reader) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil { // the holes of one member can be terabytes
		return 0, err
	}
	return s.tar.Read(p)
}
