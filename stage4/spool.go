package stage4

import (
	"io"
	"os"
)

// A spool keeps the data of members until their place in the tarball has come.
type spool struct {
	file *os.File
	end  int64
	buf  []byte
}

// add keeps size bytes and returns where.
func (s *spool) add(data io.Reader, size int64) (int64, error) {
	if s.buf == nil {
		s.buf = make([]byte, copyBuffer)
	}
	at := s.end
	n, err := io.CopyBuffer(struct{ io.Writer }{s.file}, data, s.buf)
	s.end += n
	if err == nil && n != size {
		err = io.ErrUnexpectedEOF
	}
	return at, err
}

// open returns what was kept.
func (s *spool) open(at, size int64) io.Reader { return io.NewSectionReader(s.file, at, size) }
