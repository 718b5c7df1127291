package streams

import (
	"errors"
	"io"
)

// A Counter counts the bytes that are read through it, and remembers why there were no more: decoders wrap or hide
// what their source has failed with.
type Counter struct {
	R   io.Reader
	N   int64
	Err error // the first that was not io.EOF
}

// Read implements io.Reader.
func (c *Counter) Read(p []byte) (int, error) {
	n, err := c.R.Read(p)
	c.N += int64(n)
	if err != nil && c.Err == nil && !errors.Is(err, io.EOF) {
		c.Err = err
	}
	return n, err
}

// NoEOF turns an end of input where none may be into io.ErrUnexpectedEOF.
func NoEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}
