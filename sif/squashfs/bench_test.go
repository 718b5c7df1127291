package squashfs

import (
	"os"
	"path/filepath"
	"testing"
)

// BenchmarkTar packs the tar that XTOO_BENCH_TAR names, uncompressed.
func BenchmarkTar(b *testing.B) {
	name := os.Getenv("XTOO_BENCH_TAR")
	if name == "" {
		b.Skip("XTOO_BENCH_TAR names no tar")
	}
	for _, o := range benchOptions(b) {
		b.Run(o.Compression+"-"+string(rune('0'+o.level)), func(b *testing.B) {
			for range b.N {
				benchTar(b, name, o)
			}
		})
	}
}

func benchOptions(b *testing.B) []Options {
	if os.Getenv("XTOO_BENCH_LEVELS") == "" {
		return []Options{{Compression: compressGzip}}
	}
	return []Options{
		{Compression: compressGzip, level: 5}, {Compression: compressGzip, level: 6}, {Compression: compressGzip, level: 7},
		{Compression: compressGzip, level: 8}, {Compression: compressGzip, level: 9}, {Compression: compressZstd, level: 3},
		{Compression: compressZstd, level: 7},
	}
}

func benchTar(b *testing.B, name string, o Options) {
	in, err := os.Open(name)
	if err != nil {
		b.Fatal(err)
	}
	defer in.Close()
	out, err := os.Create(filepath.Join(b.TempDir(), "out.sqfs"))
	if err != nil {
		b.Fatal(err)
	}
	defer out.Close()
	w, err := NewWriter(FileOutput(out, 0), o)
	if err != nil {
		b.Fatal(err)
	}
	defer w.Abort()
	if err := addTar(w, in); err != nil {
		b.Fatal(err)
	}
	size, err := w.Close()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(size), "outbytes")
	if keep := os.Getenv("XTOO_BENCH_KEEP"); keep != "" {
		if err := os.Rename(out.Name(), keep); err != nil {
			b.Fatal(err)
		}
	}
}
