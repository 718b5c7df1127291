package packed

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"

	"xtoo/internal/testutil"
)

// pack packs data in every format that Go can write, and the others by their tools.
func pack(t *testing.T, data []byte) map[Format][]byte {
	t.Helper()
	var gz, xzs bytes.Buffer
	g := gzip.NewWriter(&gz)
	g.Name = "a name" // of a later member as well: its end must not pass for the file's
	x, err := xz.NewWriter(&xzs)
	if err != nil {
		t.Fatal(err)
	}
	_, gerr := g.Write(data)
	_, xerr := x.Write(data)
	z, err := zstd.NewWriter(nil)
	if err := errors.Join(err, gerr, xerr, g.Close(), x.Close()); err != nil {
		t.Fatal(err)
	}
	testutil.Need(t, "bzip2")
	bz := testutil.Tool{Stdin: bytes.NewReader(data)}.Run(t, "bzip2", "-c")
	return map[Format][]byte{None: data, Gzip: gz.Bytes(), XZ: xzs.Bytes(), Zstd: z.EncodeAll(data, nil), Bzip2: []byte(bz)}
}

func TestOpen(t *testing.T) {
	data := []byte(strings.Repeat("what is packed ", 100_000))
	for format, stream := range pack(t, data) {
		for _, twice := range []bool{false, true} {
			in, want := stream, data
			if twice && format != None {
				in, want = append(bytes.Clone(stream), stream...), append(bytes.Clone(data), data...)
			}
			r, got, err := Open(iotest.HalfReader(bytes.NewReader(in)))
			if err != nil || got != format {
				t.Errorf("%s: opened as %s, %v", format, got, err)
				continue
			}
			if b, err := io.ReadAll(r); err != nil || !bytes.Equal(b, want) {
				t.Errorf("%s: %d bytes of %d, %v", format, len(b), len(want), err)
			}
			if err := errors.Join(r.Close(), r.Close()); err != nil {
				t.Error(err)
			}
		}
	}
}

// TestZeros: zeros behind a gzip file are padding; followed by more, or behind a member that is not whole, they are not.
func TestZeros(t *testing.T) {
	data := []byte(strings.Repeat("what is packed ", 10_000))
	stream, zeros := pack(t, data)[Gzip], make([]byte, 70_000)
	for name, tc := range map[string]struct {
		in   [][]byte
		want error
	}{
		"one":                {[][]byte{stream, zeros[:1]}, nil},
		"many":               {[][]byte{stream, zeros}, nil},
		"then something":     {[][]byte{stream, zeros, []byte("x")}, ErrCorrupt},
		"then a member":      {[][]byte{stream, zeros, stream}, ErrCorrupt},
		"for a member's end": {[][]byte{stream[:len(stream)-8], zeros}, ErrCorrupt},
	} {
		b, err := io.ReadAll(NewReader(bytes.NewReader(bytes.Join(tc.in, nil)), Gzip, 1))
		if !errors.Is(err, tc.want) || tc.want == nil && !bytes.Equal(b, data) {
			t.Errorf("%s: %d bytes, %v", name, len(b), err)
		}
	}
}

func TestDamaged(t *testing.T) {
	broken := errors.New("broken")
	for format, stream := range pack(t, []byte(strings.Repeat("what is packed ", 10_000))) {
		if format == None {
			continue
		}
		read := func(r io.Reader) error {
			z := NewReader(r, format, 2)
			_, err := io.Copy(io.Discard, z)
			return errors.Join(err, z.Close())
		}
		if err := read(bytes.NewReader(stream[:len(stream)-1])); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s cut short: %v", format, err)
		}
		if err := read(bytes.NewReader(stream[:6])); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s of 6 bytes: %v", format, err)
		}
		if err := read(io.MultiReader(bytes.NewReader(stream[:10]), iotest.ErrReader(broken))); !errors.Is(err, broken) {
			t.Errorf("%s whose source fails: %v", format, err)
		}
		bad := bytes.Clone(stream)
		bad[len(bad)/2] ^= 0x55
		if err := read(bytes.NewReader(bad)); !errors.Is(err, ErrCorrupt) && !errors.Is(err, ErrTruncated) {
			t.Errorf("%s damaged: %v", format, err)
		}
		if err := CheckWhole(stream[:1]); !errors.Is(err, ErrTruncated) {
			t.Errorf("%s: a byte passes for a whole stream: %v", format, err)
		}
	}
	if _, _, err := Open(iotest.ErrReader(broken)); !errors.Is(err, broken) {
		t.Errorf("a source that fails: %v", err)
	}
	if err := CheckWhole([]byte("text")); err != nil {
		t.Error(err)
	}
	if r, f, err := Open(strings.NewReader("")); f != None || err != nil || r.Close() != nil {
		t.Errorf("nothing: %s, %v", f, err)
	}
	if _, err := NewReader(strings.NewReader("x"), "lzma", 1).Read(nil); !errors.Is(err, ErrUnsupported) {
		t.Errorf("an unknown format: %v", err)
	}
}
