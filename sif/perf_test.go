package sif

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime/debug"
	"strconv"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"

	"xtoo/internal/testutil"
	"xtoo/layers/merge"
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
		img := Image{Arch: "amd64", Layers: []merge.Layer{{Open: func() (io.ReadCloser, error) { return openLayer(path) }}}}
		info, err := write(context.Background(), f, img, Options{Compression: os.Getenv("XTOO_BENCH_COMPRESSION")})
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

// peakRSS returns the most memory that the process has had since resetPeak, in bytes.
func peakRSS(t testing.TB) int64 {
	b, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(b)
	if m == nil {
		t.Fatal("no VmHWM in /proc/self/status")
	}
	n, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return n << 10
}

func resetPeak(t testing.TB) {
	if err := os.WriteFile("/proc/self/clear_refs", []byte("5"), 0o200); err != nil {
		t.Fatal(err)
	}
}

// millionLayer yields a tar of n small files, 100,000 of them in one directory, the others 100 to a directory.
func millionLayer(n int, generation string) merge.Layer {
	return merge.Layer{Open: func() (io.ReadCloser, error) {
		r, w := io.Pipe()
		go func() {
			tw := tar.NewWriter(w)
			for i := range n {
				name := fmt.Sprintf("usr/share/doc/package-%06d/file-%08d.html", i/100, i)
				if i < 100000 {
					name = fmt.Sprintf("flat/%08d", i)
				}
				data := fmt.Sprintf("%s %d", generation, i)
				if err := tw.WriteHeader(&tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(data)), ModTime: testTime}); err != nil {
					_ = w.CloseWithError(err)
					return
				}
				if _, err := io.WriteString(tw, data); err != nil {
					_ = w.CloseWithError(err)
					return
				}
			}
			_ = w.CloseWithError(tw.Close())
		}()
		return r, nil
	}}
}

// A million entries, and a layer below that they hide as a whole, stay within 300 MB. What is alive at the end is
// about 200 MB; the collector, which else waits for twice that, is told so as a program tells it.
func TestMillionEntries(t *testing.T) {
	testutil.Long(t, "writes a million entries")
	debug.FreeOSMemory()
	defer debug.SetMemoryLimit(debug.SetMemoryLimit(240 << 20))
	resetPeak(t)
	before := peakRSS(t)
	start := time.Now()
	_, info := writeSIF(t, Image{Layers: []merge.Layer{millionLayer(1000000, "new"), millionLayer(500000, "old")}}, Options{})
	peak := peakRSS(t)
	t.Logf("%v, peak %d MB (%d MB before), %+v", time.Since(start), peak>>20, before>>20, info)
	if info.hidden != 500000 || info.entries < 1000000 {
		t.Errorf("%+v", info)
	}
	if peak > 300e6 {
		t.Errorf("peak memory %d MB", peak/1e6)
	}
}
