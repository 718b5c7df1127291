package layers

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"github.com/klauspost/compress/zstd"
)

// compressZstd writes data in pieces.
func compressZstd(t *testing.T, data []byte, jobs, piece int) []byte {
	t.Helper()
	var out bytes.Buffer
	z, err := NewCompressor(&out, Zstd, jobs)
	if err != nil {
		t.Fatal(err)
	}
	for len(data) > 0 {
		n := min(piece, len(data))
		if _, err := z.Write(data[:n]); err != nil {
			t.Fatal(err)
		}
		data = data[n:]
	}
	if err := errors.Join(z.Close(), z.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

// TestZstdFrames: the bytes do not depend on jobs, nor on the pieces, and a stream is divided only where it is longer than a frame.
func TestZstdFrames(t *testing.T) {
	long := bytes.Repeat([]byte("what is visible, and what lies below it\n"), (2*zstdFrame+zstdFrame/2)/40)
	for i := 0; i < len(long); i += 1000 {
		long[i] = byte(i * 2654435761 >> 7)
	}
	for _, c := range []struct{ length, frames int }{{1, 1}, {zstdFrame - 1, 1}, {zstdFrame, 1}, {zstdFrame + 1, 2}, {len(long), 3}} {
		data := long[:c.length]
		want := compressZstd(t, data, 1, 1<<20)
		r, err := zstd.NewReader(bytes.NewReader(want))
		if err != nil {
			t.Fatal(err)
		}
		got, err := io.ReadAll(r)
		r.Close()
		if err != nil || !bytes.Equal(got, data) {
			t.Fatalf("%d bytes: %d are read back (%v)", c.length, len(got), err)
		}
		if n := countFrames(t, want); n != c.frames {
			t.Errorf("%d bytes: %d frames, not %d", c.length, n, c.frames)
		}
		for jobs, piece := range map[int]int{2: 1 << 20, 5: 777_777, 100: zstdFrame} {
			if got := compressZstd(t, data, jobs, piece); !bytes.Equal(got, want) {
				t.Errorf("%d bytes: %d jobs, pieces of %d give others", c.length, jobs, piece)
			}
		}
	}
}

// countFrames reads frame after frame.
func countFrames(t *testing.T, data []byte) int {
	t.Helper()
	d, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close()
	magic, n := []byte{0x28, 0xb5, 0x2f, 0xfd}, 0
	for len(data) > 0 {
		// The end of a frame is the first place before another one, or the end, up to which it can be decoded.
		end := len(data)
		for at := 4; ; at++ {
			i := bytes.Index(data[at:], magic)
			if i < 0 {
				break
			}
			if at += i; func() bool { _, err := d.DecodeAll(data[:at], nil); return err == nil }() {
				end = at
				break
			}
		}
		data, n = data[end:], n+1
	}
	return n
}

// TestZstdFullDisk: an error of the file below comes back, and nothing hangs.
func TestZstdFullDisk(t *testing.T) {
	for _, room := range []int{0, 100} {
		z, err := NewCompressor(&fullDisk{room}, Zstd, 2)
		if err != nil {
			t.Fatal(err)
		}
		data := bytes.Repeat([]byte{1, 2, 3}, zstdFrame)
		for range 3 {
			if _, err = z.Write(data); err != nil {
				break
			}
		}
		if err = errors.Join(err, z.Close()); !errors.Is(err, errFull) {
			t.Errorf("room for %d bytes: %v", room, err)
		}
	}
}

type fullDisk struct{ room int }

func (d *fullDisk) Write(p []byte) (int, error) {
	if len(p) > d.room {
		return 0, errFull
	}
	d.room -= len(p)
	return len(p), nil
}
