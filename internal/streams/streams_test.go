package streams

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"xtoo/internal/testutil"
)

type closer struct {
	io.Reader
	err    error
	closed int
}

func (c *closer) Close() error {
	c.closed++
	return c.err
}

func data(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7 >> 3)
	}
	return b
}

func TestReadAhead(t *testing.T) {
	for _, n := range []int{0, 1, ChunkSize - 1, ChunkSize, ChunkSize + 1, 40*ChunkSize + 3} {
		want, sum := data(n), sha256.New()
		src := &closer{Reader: iotest.DataErrReader(bytes.NewReader(want))}
		a := ReadAhead(t.Context(), src, sum)
		got, err := io.ReadAll(a)
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%d bytes: %d, %v", n, len(got), err)
		}
		whole := sha256.Sum256(want)
		if !bytes.Equal(sum.Sum(nil), whole[:]) {
			t.Errorf("%d bytes: the sum is not theirs", n)
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
			t.Errorf("behind the end: %v", err)
		}
		if err := a.Close(); err != nil || src.closed != 1 {
			t.Errorf("closed %d times, %v", src.closed, err)
		}
	}
}

// TestReadAheadFails: errors of the source come after the data before them, standing still is one, and nothing is left
// running after Close, however far the reader has come.
func TestReadAheadFails(t *testing.T) {
	testutil.NoLeaks(t)
	broken := errors.New("broken")
	a := ReadAhead(t.Context(), &closer{Reader: io.MultiReader(bytes.NewReader(data(ChunkSize+5)), iotest.ErrReader(broken)), err: broken}, nil)
	if got, err := io.ReadAll(a); !errors.Is(err, broken) || len(got) != ChunkSize+5 {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	if err := a.Close(); !errors.Is(err, broken) {
		t.Errorf("closing: %v", err)
	}
	a = ReadAhead(t.Context(), &closer{Reader: still{}}, nil)
	if _, err := a.Read(make([]byte, 1)); !errors.Is(err, io.ErrNoProgress) {
		t.Errorf("standing still: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	a = ReadAhead(t.Context(), &closer{Reader: zeros{}}, nil)
	if _, err := io.ReadFull(a, make([]byte, 10)); err != nil {
		t.Error(err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	a = ReadAhead(ctx, &closer{Reader: zeros{}}, nil)
	cancel()
	if _, err := io.Copy(io.Discard, a); !errors.Is(err, context.Canceled) {
		t.Errorf("ended: %v", err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

type still struct{}

func (still) Read([]byte) (int, error) { return 0, nil }

// TestFlow has several decoders, of which each takes every piece that is free, and gives the pieces in their order.
func TestFlow(t *testing.T) {
	const pieces = 50
	f := NewFlow(t.Context(), 3)
	next := 0
	work := func() {
		d := f.NewDecoder(4)
		for {
			n := 0
			place, ok := d.Begin(func() bool {
				n = next
				next++
				return n < pieces
			})
			if !ok || !d.Run(&untilDone{r: bytes.NewReader(bytes.Repeat([]byte{byte(n)}, n*1000))}, place) {
				return
			}
		}
	}
	f.Start(work, work, work)
	got, err := io.ReadAll(f)
	f.Stop()
	f.Wait()
	var want []byte
	for n := range pieces {
		want = append(want, bytes.Repeat([]byte{byte(n)}, n*1000)...)
	}
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%d bytes of %d, %v", len(got), len(want), err)
	}
}

func TestCounterAndContext(t *testing.T) {
	broken := errors.New("broken")
	c := &Counter{R: io.MultiReader(bytes.NewReader(data(10)), iotest.ErrReader(broken))}
	if _, err := io.ReadAll(c); !errors.Is(err, broken) || c.N != 10 || !errors.Is(c.Err, broken) {
		t.Errorf("%+v, %v", c, err)
	}
	c = &Counter{R: bytes.NewReader(data(10))}
	if _, err := io.ReadAll(c); err != nil || c.N != 10 || c.Err != nil {
		t.Errorf("%+v, %v", c, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := WithContext(ctx, zeros{})
	if n, err := r.Read(make([]byte, 3)); n != 3 || err != nil {
		t.Error(n, err)
	}
	cancel()
	if n, err := r.Read(make([]byte, 3)); n != 0 || !errors.Is(err, context.Canceled) {
		t.Error(n, err)
	}
}
