package squashfs

import (
	"fmt"
	"io"
	"os"
)

// Output is where a filesystem goes. Offsets count from the start of the filesystem. Blocks are
// appended in order; the superblock is written last; after a large duplicate file the next blocks
// overwrite what was appended of it.
type Output interface {
	io.WriterAt
	// Truncate cuts off what was written at size and beyond. It is called at most once, from Close, when
	// the filesystem ends with a large duplicate that was written before it was known to be one.
	Truncate(size int64) error
}

// FileOutput puts a filesystem into f, starting at byte base. The caller closes f.
func FileOutput(f *os.File, base int64) Output { return &fileOutput{f, base} }

type fileOutput struct {
	f    *os.File
	base int64
}

func (o *fileOutput) WriteAt(p []byte, off int64) (int, error) { return o.f.WriteAt(p, o.base+off) }
func (o *fileOutput) Truncate(size int64) error                { return o.f.Truncate(o.base + size) }

// appender writes behind what was written before. Its first error stays.
type appender struct {
	out Output
	pos uint64
	buf []byte // not yet written, ends at pos
	err error
}

func (a *appender) Write(p []byte) (int, error) {
	if a.err != nil {
		return 0, a.err
	}
	a.buf = append(a.buf, p...)
	a.pos += uint64(len(p))
	if len(a.buf) >= 1<<18 {
		return len(p), a.flush()
	}
	return len(p), nil
}

func (a *appender) flush() error {
	if a.err == nil && len(a.buf) > 0 {
		if _, err := a.out.WriteAt(a.buf, int64(a.pos)-int64(len(a.buf))); err != nil {
			a.err = fmt.Errorf("write squashfs tables: %w", err)
		}
		a.buf = a.buf[:0]
	}
	return a.err
}
