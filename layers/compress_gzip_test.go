package layers

import (
	"bytes"
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/klauspost/pgzip"
)

// TestGzipBytes: streams of every length around the limits have the bytes of the whole format, in writes of any size, from fresh and
// from used writers.
func TestGzipBytes(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	data := make([]byte, 2*gzipBlock+5)
	for i := range data {
		data[i] = byte(random.IntN(7)) // worth compressing
	}
	for _, n := range []int{0, 1, 16384, smallStream - 1, smallStream, smallStream + 1, gzipBlock - 1, gzipBlock, gzipBlock + 1, len(data), 3} {
		var want bytes.Buffer
		z, err := pgzip.NewWriterLevel(&want, gzipLevel)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(z.SetConcurrency(gzipBlock, 2), write(z.Write, data[:n], n+1), z.Close()); err != nil {
			t.Fatal(err)
		}
		for _, chunk := range []int{511, smallStream - 1, n + 1} {
			var got bytes.Buffer
			w, err := NewCompressor(&got, Gzip, 3)
			if err != nil {
				t.Fatal(err)
			}
			if err := errors.Join(write(w.Write, data[:n], chunk), w.Close(), w.Close()); err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(got.Bytes(), want.Bytes()) {
				t.Errorf("%d bytes in writes of %d: other bytes than pgzip's (%d, %d)", n, chunk, got.Len(), want.Len())
			}
			if _, err := w.Write([]byte{1}); err == nil {
				t.Error("it took data after its end")
			}
		}
	}
}

func write(to func([]byte) (int, error), data []byte, chunk int) error {
	for len(data) > 0 {
		n, err := to(data[:min(chunk, len(data))])
		if err != nil {
			return err
		}
		data = data[n:]
	}
	return nil
}

// TestGzipFailed: what a stream that could not be written leaves behind does no harm to the next.
func TestGzipFailed(t *testing.T) {
	var want []byte
	for i := range 4 {
		bad, err := NewCompressor(failing{}, Gzip, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(write(bad.Write, []byte("hello"), 9), bad.Close()); !errors.Is(err, errFull) {
			t.Fatalf("written to a full disk: %v", err)
		}
		var b bytes.Buffer
		good, err := NewCompressor(&b, Gzip, 1)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(write(good.Write, []byte("hello"), 2), good.Close()); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			want = b.Bytes()
		} else if !bytes.Equal(b.Bytes(), want) {
			t.Errorf("%x, first %x", b.Bytes(), want)
		}
	}
}

var errFull = errors.New("full")

type failing struct{}

func (failing) Write([]byte) (int, error) { return 0, errFull }
