package sif

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
)

// BenchmarkWrite packs the layer that XTOO_BENCH_LAYER names, a tar or tar.gz file.
func BenchmarkWrite(b *testing.B) {
	path := os.Getenv("XTOO_BENCH_LAYER")
	if path == "" {
		b.Skip("XTOO_BENCH_LAYER names no layer")
	}
	for b.Loop() {
		start := time.Now()
		f, err := os.Create(filepath.Join(b.TempDir(), "out.sif"))
		if err != nil {
			b.Fatal(err)
		}
		img := Image{Arch: "amd64", Layers: []Layer{{Open: func() (io.ReadCloser, error) { return openLayer(path) }}}}
		info, err := Write(context.Background(), f, img, Options{Compression: os.Getenv("XTOO_BENCH_COMPRESSION")})
		if err != nil {
			b.Fatal(err)
		}
		if err := f.Close(); err != nil {
			b.Fatal(err)
		}
		b.Logf("%v: %+v", time.Since(start), info)
	}
}

type gzipFile struct {
	*gzip.Reader
	f *os.File
}

func (g gzipFile) Close() error { return g.f.Close() }

func openLayer(path string) (io.ReadCloser, error) {
	f, err := os.Open(path)
	if err != nil || filepath.Ext(path) != ".gz" {
		return f, err
	}
	z, err := gzip.NewReader(f)
	return gzipFile{z, f}, err
}
