package unpack

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"xtoo/internal/streams/packed"
	"xtoo/internal/testutil"
)

// Short names for what hostile streams are made of.
const size0 = testutil.RawNoBytes

var (
	rawHeader = testutil.RawHeader
	sumHeader = testutil.RawSum
	pad       = testutil.RawPad
	withEnd   = testutil.RawEnd
	record    = testutil.RawRecord
	extended  = testutil.RawExtended
	noLeaks   = testutil.NoLeaks
)

// sample is a small tar with a bit of everything.
func sample(tb testing.TB) []byte {
	return testutil.Tar(tb,
		testutil.Dir("./"),
		testutil.Dir("./bin/"),
		testutil.File("./bin/sh", "#!/bin/true\n"+strings.Repeat("abc", 300)),
		testutil.Link("./bin/bash", "./bin/sh"),
		testutil.Symlink("./etc/mtab", "/proc/mounts"),
		testutil.Device("./dev/null", tar.TypeChar, 1, 3),
		testutil.File("./usr/"+strings.Repeat("n", 120)+"/ünïcode and spaces", "x").WithXattr("user.a", "b\x00c"),
	)
}

// xzBytes compresses into one stream.
func xzBytes(tb testing.TB, data []byte, blockSize int64) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w, err := xz.WriterConfig{BlockSize: blockSize, DictCap: 1 << 16}.NewWriter(&buf)
	if err != nil {
		tb.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

// multiXZ is several streams of several blocks, with padding between them and at the end, and an empty
// stream.
func multiXZ(tb testing.TB, data []byte) []byte {
	half := len(data)/2 + 7
	return bytes.Join([][]byte{
		xzBytes(tb, data[:half], 700), make([]byte, 8), emptyXZ(), xzBytes(tb, data[half:], 1000), make([]byte, 4)}, nil)
}

// emptyXZ is a stream without blocks.
func emptyXZ() []byte {
	flags := []byte{0, 4}
	b := binary.LittleEndian.AppendUint32(append([]byte(xzMagic), flags...), crc32.ChecksumIEEE(flags))
	index := []byte{0, 0, 0, 0}
	b = binary.LittleEndian.AppendUint32(append(b, index...), crc32.ChecksumIEEE(index))
	foot := append(binary.LittleEndian.AppendUint32(nil, 1), flags...)
	b = binary.LittleEndian.AppendUint32(b, crc32.ChecksumIEEE(foot))
	return append(append(b, foot...), xzFooter...)
}

func gzipBytes(tb testing.TB, data []byte) []byte {
	tb.Helper()
	var buf bytes.Buffer
	w := gzip.NewWriter(&buf)
	w.Name = "stage3.tar" // of a later member as well: its end must not pass for the file's
	if _, err := w.Write(data); err != nil {
		tb.Fatal(err)
	}
	if err := w.Close(); err != nil {
		tb.Fatal(err)
	}
	return buf.Bytes()
}

func zstdBytes(tb testing.TB, data []byte) []byte {
	tb.Helper()
	w, err := zstd.NewWriter(nil)
	if err != nil {
		tb.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func bzip2Bytes(tb testing.TB, data []byte) []byte {
	tb.Helper()
	testutil.Need(tb, "bzip2")
	return []byte(testutil.Tool{Stdin: bytes.NewReader(data)}.Run(tb, "bzip2", "-c"))
}

// packings makes a file of every format out of a tar.
var packings = map[string]struct {
	format packed.Format
	pack   func(testing.TB, []byte) []byte
}{
	"tar":     {packed.None, func(_ testing.TB, b []byte) []byte { return b }},
	"xz":      {packed.XZ, func(tb testing.TB, b []byte) []byte { return xzBytes(tb, b, 0) }},
	"xzMulti": {packed.XZ, multiXZ},
	"gz":      {packed.Gzip, gzipBytes},
	"gzMulti": {packed.Gzip, func(tb testing.TB, b []byte) []byte {
		return append(gzipBytes(tb, b[:1000]), gzipBytes(tb, b[1000:])...)
	}},
	"zst": {packed.Zstd, zstdBytes},
	"zstMulti": {packed.Zstd, func(tb testing.TB, b []byte) []byte {
		skip := []byte("\x51\x2a\x4d\x18\x03\x00\x00\x00abc")
		return bytes.Join([][]byte{skip, zstdBytes(tb, b[:1000]), skip, zstdBytes(tb, b[1000:])}, nil)
	}},
	"pixz": {packed.XZ, func(tb testing.TB, b []byte) []byte {
		return xzBytes(tb, append(bytes.Clone(b), indexOf(tb, b)...), int64(len(b)))
	}},
	"bz2": {packed.Bzip2, bzip2Bytes},
	"bz2Multi": {packed.Bzip2, func(tb testing.TB, b []byte) []byte {
		return append(bzip2Bytes(tb, b[:1000]), bzip2Bytes(tb, b[1000:])...)
	}},
}

// unpackFile opens and copies a file that holds data.
func unpackFile(tb testing.TB, path string, data []byte) ([]byte, packed.Format, error) {
	tb.Helper()
	if err := os.WriteFile(path, data, 0o600); err != nil {
		tb.Fatal(err)
	}
	return unpackPath(tb, path)
}

// unpackPath opens and copies a file.
func unpackPath(tb testing.TB, path string) ([]byte, packed.Format, error) {
	tb.Helper()
	r, format, err := Open(context.Background(), path, OpenOptions{Jobs: 3})
	if err != nil {
		return nil, format, err
	}
	var out bytes.Buffer
	_, err = Copy(context.Background(), &out, r, CopyOptions{})
	if cerr := r.Close(); cerr != nil {
		tb.Fatal(cerr)
	}
	return out.Bytes(), format, err
}

// copyAll copies a tar in memory, from a reader that gives a little at a time.
func copyAll(data []byte, o CopyOptions) ([]byte, Summary, error) {
	var out bytes.Buffer
	sum, err := Copy(context.Background(), &out, &dribble{r: bytes.NewReader(data)}, o)
	return out.Bytes(), sum, err
}

// dribble returns odd amounts of data.
type dribble struct {
	r io.Reader
	n int
}

func (d *dribble) Read(p []byte) (int, error) {
	d.n = (d.n*7 + 13) % 1777
	return d.r.Read(p[:min(len(p), d.n)])
}

func tempFile(t testing.TB) string { return filepath.Join(t.TempDir(), "some file") }
