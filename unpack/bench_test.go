package unpack

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"os"
	"testing"
)

// stageVar names a real stage3 for the benchmarks and the long tests.
const stageVar = "XTOO_TEST_STAGE3"

func stage3(tb testing.TB) string {
	tb.Helper()
	path := os.Getenv(stageVar)
	if path == "" {
		tb.Skipf("%s does not name a stage3", stageVar)
	}
	return path
}

func BenchmarkOpenStage3(b *testing.B) {
	path := stage3(b)
	for _, jobs := range []int{1, 2} {
		b.Run(fmt.Sprintf("jobs=%d", jobs), func(b *testing.B) {
			for b.Loop() {
				r, _, err := Open(context.Background(), path, OpenOptions{Jobs: jobs})
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.Copy(io.Discard, r)
				if err != nil {
					b.Fatal(err)
				}
				if err := r.Close(); err != nil {
					b.Fatal(err)
				}
				b.SetBytes(n)
			}
		})
	}
}

func BenchmarkOpenAndCopyStage3(b *testing.B) {
	path := stage3(b)
	for b.Loop() {
		r, _, err := Open(context.Background(), path, OpenOptions{Jobs: 2})
		if err != nil {
			b.Fatal(err)
		}
		h := sha256.New()
		sum, err := Copy(context.Background(), h, r, CopyOptions{Exclude: []string{"/usr/src/linux-*", "/lib/modules/*"}})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(sum.Bytes)
		b.Logf("%x %+v", h.Sum(nil), sum)
		if err := r.Close(); err != nil {
			b.Fatal(err)
		}
	}
}
