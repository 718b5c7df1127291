package tree

import (
	"bytes"
	"errors"
	"fmt"
	"io"

	"golang.org/x/sys/unix"

	"xtoo/layers/inode"
)

// holeSize is the least run of zeros that becomes a hole, and what it is aligned to. Smaller ones would cost
// more in fragments than they save.
const holeSize = 64 << 10

var zeros [holeSize]byte

// writeData writes the content of a file, with holes for long runs of zeros.
func (u *unpacker) writeData(fd int, data io.Reader, size int64) error {
	hole := false
	for off := int64(0); off < size; {
		if err := u.ctx.Err(); err != nil {
			return err
		}
		buf := u.buf[:min(int64(len(u.buf)), size-off)]
		n, err := io.ReadFull(data, buf)
		if errors.Is(err, io.EOF) {
			err = io.ErrUnexpectedEOF
		}
		if err != nil {
			return fmt.Errorf("read its data at %d of %d bytes: %w", off+int64(n), size, err)
		}
		if hole, err = writeDense(fd, buf, off); err != nil {
			return fmt.Errorf("write its data: %w", err)
		}
		off += int64(n)
	}
	if hole {
		if err := unix.Ftruncate(fd, size); err != nil {
			return fmt.Errorf("set its size to %d: %w", size, err)
		}
	}
	return nil
}

// writeDense writes what is not zeros of buf, which belongs at off. It reports whether it ended with a hole.
func writeDense(fd int, buf []byte, off int64) (hole bool, err error) {
	begin := 0
	for i := 0; i < len(buf); i += holeSize {
		chunk := buf[i:min(i+holeSize, len(buf))]
		hole = len(chunk) == holeSize && chunk[0] == 0 && chunk[holeSize-1] == 0 && bytes.Equal(chunk, zeros[:])
		if !hole {
			continue
		}
		if err := writeAll(fd, buf[begin:i], off+int64(begin)); err != nil {
			return false, err
		}
		begin = i + holeSize
	}
	if hole {
		return true, nil
	}
	return false, writeAll(fd, buf[begin:], off+int64(begin))
}

func writeAll(fd int, buf []byte, off int64) error {
	for len(buf) > 0 {
		var n int
		err := inode.Retry(func() (err error) {
			n, err = unix.Pwrite(fd, buf, off)
			return err
		})
		if err != nil {
			return err
		}
		buf, off = buf[n:], off+int64(n)
	}
	return nil
}
