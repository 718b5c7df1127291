// Package xz decodes .xz files from front to back:
//
//	stream ── padding ── stream …                              Reader
//	  header │ block … │ index │ footer                        stream.go, index.go
//	    header │ LZMA2 (package lzma2) │ padding │ check       block.go, check.go
//	      what LZMA2 gives goes through filters                filter.go, branch.go
//
// It must not know what is packed, nor read at any place but the next. Names of sections are those of the specification,
// https://tukaani.org/xz/xz-file-format.txt. Everything in a file that can be checked is checked.
package xz

import (
	"bufio"
	"errors"
	"fmt"
	"io"

	"xtoo/internal/streams/xz/lzma2"
)

// What is not done here, as opposed to what is wrong.
var (
	// ErrOptions says that a stream uses a filter, or a flag, that is unknown here.
	ErrOptions = errors.New("unknown filter or flag")
	// ErrCheck says that a stream has an unknown kind of check.
	ErrCheck = errors.New("unknown kind of check")
)

// A DictionaryError says that a block needs a larger dictionary than the reader may hold.
type DictionaryError struct {
	Size int64 // bytes
}

func (e *DictionaryError) Error() string {
	return fmt.Sprintf("a dictionary of %d MiB is beyond the limit", e.Size>>20)
}

// bufferSize is how much of the file is read at a time, in bytes.
const bufferSize = 64 << 10

// Memory is what a [Reader] holds at most for a block with a dictionary of that size, in bytes.
func Memory(dictionary int64) int64 { return lzma2.Memory(dictionary) }

// Reader decodes a file: one stream after another, with the padding between them. What it keeps from block to block and
// through [Reader.Reset] is its memory.
type Reader struct {
	limit int64 // of dictionaries
	src   *bufio.Reader
	lzma  lzma2.Decoder

	step    func(*Reader) error // what comes next; it may leave decoded data
	data    []byte              // decoded, and not yet read
	err     error               // behind the data
	streams int                 // how many have begun
	check   check               // of the stream's blocks
	flags   [2]byte
	block   block
	seen    records // of the stream's blocks, as the index must have them
}

// NewReader returns a reader of r that holds dictionaries of up to limit bytes: a block that needs a larger one is a
// [DictionaryError]. It may read more of r than the file has. Nothing is read before the first Read.
//
// Data is given out as it is decoded: only io.EOF says that all of it was right. An end of r within the file is
// io.ErrUnexpectedEOF; errors of r are passed on.
func NewReader(r io.Reader, limit int64) *Reader {
	z := &Reader{limit: limit}
	z.Reset(r)
	return z
}

// Reset begins with another file.
func (z *Reader) Reset(r io.Reader) {
	if z.src == nil {
		z.src = bufio.NewReaderSize(r, bufferSize)
	} else {
		z.src.Reset(r)
	}
	z.step, z.data, z.err, z.streams = (*Reader).streamHeader, nil, nil, 0
}

// Read implements io.Reader.
func (z *Reader) Read(p []byte) (int, error) {
	for len(z.data) == 0 {
		if z.err != nil {
			return 0, z.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		z.err = z.step(z)
	}
	n := copy(p, z.data)
	z.data = z.data[n:]
	return n, nil
}

// inBlock decodes what comes next of a block, and finishes it at its end.
func (z *Reader) inBlock() error {
	var err error
	z.data, err = z.block.next()
	if len(z.data) > 0 && z.check.hash != nil {
		z.check.hash.Write(z.data)
	}
	switch {
	case errors.Is(err, io.EOF):
		z.step = (*Reader).blockEnd
		return nil
	case err != nil:
		return err
	}
	return nil
}
