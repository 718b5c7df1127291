package xz

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	ulikunitz "github.com/ulikunitz/xz"

	"xtoo/internal/testutil"
)

// testBlock is the size of a block here, in bytes.
const testBlock = 128 << 10

func written(t *testing.T, data []byte, jobs, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	z := newWriter(&out, jobs, testBlock)
	for len(data) > 0 {
		n := min(piece, len(data))
		_, err := z.Write(data[:n])
		testutil.Must(t, err)
		data = data[n:]
	}
	testutil.Must(t, errors.Join(z.Close(), z.Close()))
	return out.Bytes()
}

// TestWriter: what is written is read here, by a library and by xz, which sees the blocks and their sizes; its bytes depend
// neither on the number of cores nor on the pieces in which it came.
func TestWriter(t *testing.T) {
	t.Parallel()
	testutil.Need(t, "xz")
	long := sampleData(2*testBlock + 1)
	for _, c := range []struct{ length, blocks int }{{0, 0}, {1, 1}, {testBlock, 1}, {len(long), 3}} {
		data := long[:c.length]
		file := written(t, data, 1, 1<<20)
		for jobs, piece := range map[int]int{2: 1 << 20, 9: 77_777} {
			if got := written(t, data, jobs, piece); !bytes.Equal(got, file) {
				t.Errorf("%d bytes: %d jobs, pieces of %d give others", c.length, jobs, piece)
			}
		}
		if got, err := decode(file); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes are read as %d: %v", c.length, len(got), err)
		}
		r, err := ulikunitz.NewReader(bytes.NewReader(file))
		testutil.Must(t, err)
		if got, err := io.ReadAll(r); err != nil || !bytes.Equal(got, data) {
			t.Errorf("%d bytes are read as %d by another: %v", c.length, len(got), err)
		}
		name := filepath.Join(t.TempDir(), "x.xz")
		testutil.Must(t, os.WriteFile(name, file, 0o600))
		testutil.Run(t, "xz", "-t", name)
		var z Reader
		z.limit = limit
		z.Reset(bytes.NewReader(file))
		_, err = io.Copy(io.Discard, &z)
		testutil.Must(t, err)
		if z.seen.n != int64(c.blocks) {
			t.Errorf("%d bytes: %d blocks, not %d", c.length, z.seen.n, c.blocks)
		}
	}
}

var errFull = errors.New("full")

type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return 0, errFull
	}
	d.room -= len(p)
	return len(p), nil
}

// TestWriterFullDisk: an error of the file below comes back once, and nothing hangs.
func TestWriterFullDisk(t *testing.T) {
	t.Parallel()
	for _, room := range []int{0, 12, 100} {
		z := newWriter(&fullDisk{room}, 2, testBlock)
		data := make([]byte, testBlock)
		var err error
		for range 5 {
			if _, err = z.Write(data); err != nil {
				break
			}
		}
		if err == nil {
			err = z.Close()
		}
		if !errors.Is(err, errFull) || err.Error() != errFull.Error() {
			t.Errorf("room for %d bytes: %v", room, err)
		}
		z.Abort()
	}
}
