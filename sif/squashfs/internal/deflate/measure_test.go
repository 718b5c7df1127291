package deflate

import (
	"bytes"
	stdzlib "compress/zlib"
	"fmt"
	"io"
	"os"
	"testing"
	"time"

	"github.com/klauspost/compress/zlib"
	"golang.org/x/sys/unix"
)

// BenchmarkMeasure compares with the libraries, in one run, on the file that XTOO_BENCH_FILE names: a tar of real files. Every
// fourth block of 128 KiB is compressed. What it prints stands in docs/dependencies.md.
func BenchmarkMeasure(tb *testing.B) {
	name := os.Getenv("XTOO_BENCH_FILE")
	if name == "" {
		tb.Skip("XTOO_BENCH_FILE names no file to measure with") // a measurement, not a test
	}
	data, err := os.ReadFile(name)
	if err != nil {
		tb.Fatal(err)
	}
	const size = 128 << 10
	var blocks [][]byte
	total := 0
	for i := 0; i+size <= len(data); i += 4 * size {
		blocks = append(blocks, data[i:i+size])
		total += size
	}
	var best int // of the standard library's best level, the measure
	show := func(what string, compress func(dst, src []byte) int) int {
		dst := make([]byte, 2*size)
		n, begin := 0, cpu(tb)
		for _, b := range blocks {
			n += min(compress(dst, b), size) // squashfs stores what does not become smaller
		}
		took := cpu(tb) - begin
		if best == 0 {
			best = n
		}
		tb.Logf("%-22s %9d bytes, %.4f, %6.1f MB/s", what, n, float64(n)/float64(best), float64(total)/1e6/took.Seconds())
		return n
	}
	tb.Logf("%d blocks of %s", len(blocks), name)
	type resetter interface {
		io.WriteCloser
		Reset(io.Writer)
	}
	library := func(what string, z resetter) {
		show(what, func(dst, src []byte) int {
			b := bytes.NewBuffer(dst[:0])
			z.Reset(b)
			if _, err := z.Write(src); err != nil {
				tb.Fatal(err)
			}
			if err := z.Close(); err != nil {
				tb.Fatal(err)
			}
			return b.Len()
		})
	}
	for _, level := range []int{9, 6} {
		z, err := stdzlib.NewWriterLevel(nil, level)
		if err != nil {
			tb.Fatal(err)
		}
		library(fmt.Sprint("compress/zlib ", level), z)
	}
	for _, level := range []int{5, 6, 7, 8, 9} {
		z, err := zlib.NewWriterLevel(nil, level)
		if err != nil {
			tb.Fatal(err)
		}
		library(fmt.Sprint("klauspost zlib ", level), z)
	}
	for i, e := range []Effort{{8, 24}, {16, 40}, {60, 100}, {1000, 258}} {
		ours := NewEncoder(e)
		show(fmt.Sprint("this package, level ", i+6), func(dst, src []byte) int {
			out, ok := ours.Encode(dst[:0:size], src)
			if !ok {
				return size
			}
			return len(out)
		})
	}
}

func cpu(tb testing.TB) time.Duration {
	tb.Helper()
	var u unix.Rusage
	if err := unix.Getrusage(unix.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
