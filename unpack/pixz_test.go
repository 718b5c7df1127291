package unpack

import (
	"archive/tar"
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"strings"
	"testing"

	"xtoo/internal/streams"
	"xtoo/internal/streams/packed"
	"xtoo/internal/testutil"
)

// indexOf is the index that pixz writes of a tar without extension headers before its first member.
func indexOf(tb testing.TB, data []byte) []byte {
	tb.Helper()
	in := &streams.Counter{R: bytes.NewReader(data)}
	r := tar.NewReader(struct{ io.Reader }{in})
	b := []byte(pixzMagic)
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return binary.LittleEndian.AppendUint64(append(b, 0), uint64(len(data)))
		}
		if err != nil {
			tb.Fatal(err)
		}
		b = binary.LittleEndian.AppendUint64(append(append(b, h.Name...), 0), uint64(in.N-blockSize))
	}
}

// TestPixzIndex: the index of the archive that it follows is left out, whole or in pieces, and whatever is not quite
// that is an error.
func TestPixzIndex(t *testing.T) {
	data := sample(t)
	padded := append(bytes.Clone(data), make([]byte, 7*blockSize)...)
	for _, tar := range [][]byte{data, padded} {
		opened := 0
		for _, o := range []CopyOptions{{}, {Exclude: []string{"/bin/sh"}, Reopen: reopenBytes(tar, &opened)}} {
			want, _, err := copyAll(tar, o)
			if err != nil {
				t.Fatal(err)
			}
			got, sum, err := copyAll(append(bytes.Clone(tar), indexOf(t, tar)...), o)
			if err != nil || !bytes.Equal(got, want) || !sum.index || sum.Bytes != int64(len(want)) {
				t.Errorf("%d bytes of %d, %+v, %v", len(got), len(want), sum, err)
			}
		}
	}
	index := indexOf(t, data)
	end := len(index) - 9
	number := func(n uint64) string { return string(binary.LittleEndian.AppendUint64(nil, n)) }
	for name, tc := range map[string]struct {
		behind string
		want   error
	}{
		"another archive":                  {string(data), errHostile},
		"something else":                   {"x", errHostile},
		"a block of something else":        {strings.Repeat("x", blockSize), errHostile},
		"something else behind zeros":      {strings.Repeat("\x00", 9*blockSize) + "text", errHostile},
		"an index behind odd zeros":        {"\x00" + string(index), errHostile},
		"an index of more":                 {strings.Repeat("\x00", blockSize) + string(index), errTruncated},
		"an index of another archive":      {string(indexOf(t, padded)), errCorrupt},
		"half a magic":                     {pixzMagic[:4], errHostile},
		"a magic alone":                    {pixzMagic, errTruncated},
		"an index without its end":         {string(index[:end]), errTruncated},
		"an index cut in a name":           {string(index[:10]), errTruncated},
		"an index cut in a number":         {string(index[:len(index)-1]), errTruncated},
		"an index twice":                   {string(index) + string(index), errCorrupt},
		"an index and zeros":               {string(index) + "\x00", errCorrupt},
		"an index with an end of a name":   {string(index[:end]) + "n\x00" + number(uint64(len(data))), errCorrupt},
		"an index with a member nowhere":   {string(index[:end]) + "n\x00" + number(1<<63) + string(index[end:]), errCorrupt},
		"an index with a member in one":    {string(index[:end]) + "n\x00" + number(uint64(len(data))-7) + string(index[end:]), errCorrupt},
		"an index with a member too early": {string(index[:end]) + "n\x00" + number(0) + string(index[end:]), errCorrupt},
	} {
		if _, _, err := copyAll(append(bytes.Clone(data), tc.behind...), CopyOptions{}); !errors.Is(err, tc.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	nameless := pixzMagic + "\x00" + number(0) + string(index[end:])
	if got, _, err := copyAll(append(bytes.Clone(data), nameless...), CopyOptions{}); err != nil || !bytes.Equal(got, data) {
		t.Errorf("an index without a name: %v", err)
	}
}

// packers are programs that pack a tar, each in its own way.
var packers = []struct {
	format packed.Format
	pack   string // for sh: from in.tar to its output
}{
	{packed.None, "cat in.tar"},
	{packed.None, "pixz -0 < in.tar | xz -dc"},
	{packed.XZ, "pixz -0 < in.tar"},
	{packed.XZ, "pixz -0 -f 0.5 < in.tar"},
	{packed.XZ, "pixz -t -0 < in.tar"},
	{packed.XZ, "pixz -0 < in.tar; head -c 8 /dev/zero"},
	{packed.XZ, "xz -0 -T2 --block-size=200000 < in.tar"},
	{packed.XZ, "head -c 70000 in.tar | xz -0; head -c 12 /dev/zero; tail -c +70001 in.tar | xz -0 -C none; head -c 4 /dev/zero"},
	{packed.XZ, "7zz a -txz -si -so -mx1 x.xz < in.tar"},
	{packed.Zstd, "zstd -1 < in.tar"},
	{packed.Zstd, "zstd -1 --no-check --long=27 < in.tar"},
	{packed.Zstd, "zstd -1 -T2 -B100000 < in.tar"},
	{packed.Zstd, "pzstd -1 -p 2 < in.tar"},
	{packed.Zstd, `head -c 70000 in.tar | zstd -1; printf '\136\052\115\030\003\000\000\000abc'; tail -c +70001 in.tar | zstd -1; printf '\120\052\115\030\000\000\000\000'`},
	{packed.Gzip, "gzip -1 < in.tar"},
	{packed.Gzip, "gzip -1 < in.tar; head -c 1000 /dev/zero"},
	{packed.Gzip, "pigz -1 -p 2 < in.tar"},
	{packed.Gzip, "pigz -1 -p 2 -i < in.tar"},
	{packed.Gzip, "bgzip -l 1 -c in.tar"},
	{packed.Gzip, "busybox gzip -c < in.tar"},
	{packed.Bzip2, "bzip2 -1 < in.tar"},
	{packed.Bzip2, "pbzip2 -1 -p2 -c < in.tar"},
	{packed.Bzip2, "lbzip2 -1 -n 2 < in.tar"},
}

// TestPackers: however a tar is packed, it is the same stream.
func TestPackers(t *testing.T) {
	testutil.Long(t, "it calls twenty programs")
	testutil.Need(t, "pixz", "xz", "7zz", "zstd", "pzstd", "gzip", "pigz", "bgzip", "busybox", "bzip2", "pbzip2", "lbzip2", "tar")
	dir := t.TempDir()
	data := []byte(testutil.Run(t, "tar", "-C", makeTree(t, true), "-cf", "-", "."))
	testutil.Must(t, os.WriteFile(dir+"/in.tar", data, 0o600))
	for _, p := range packers {
		file := testutil.Tool{Dir: dir}.Run(t, "sh", "-c", p.pack)
		got, format, err := unpackFile(t, tempFile(t), []byte(file))
		if err != nil || format != p.format || !bytes.Equal(got, data) {
			t.Errorf("%s: %s, %d bytes of %d, %v", p.pack, format, len(got), len(data), err)
		}
	}
}
