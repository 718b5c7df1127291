package outputs

import (
	"bytes"
	"errors"
	"io"
	"os"
)

// sameContent compares a file just written with one that is there.
func sameContent(f *os.File, path string) (bool, error) {
	other, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer other.Close() // read only
	a, err := f.Stat()
	if err != nil {
		return false, err
	}
	b, err := other.Stat()
	if err != nil || a.Size() != b.Size() {
		return false, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return false, err
	}
	x, y := make([]byte, 1<<20), make([]byte, 1<<20)
	for {
		n, err := io.ReadFull(f, x)
		if n == 0 {
			return errors.Is(err, io.EOF), nil
		}
		m, err := io.ReadFull(other, y[:n])
		if m != n {
			return false, err
		}
		if !bytes.Equal(x[:n], y[:n]) {
			return false, nil
		}
	}
}
