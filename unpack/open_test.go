package unpack

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"xtoo/internal/streams/packed"
	"xtoo/internal/testutil"
)

func TestOpenFormats(t *testing.T) {
	noLeaks(t)
	data := sample(t)
	for name, p := range packings {
		t.Run(name, func(t *testing.T) {
			got, format, err := unpackFile(t, tempFile(t), p.pack(t, data))
			if err != nil || format != p.format || !bytes.Equal(got, data) {
				t.Fatalf("format %q, %d bytes of %d, error %v", format, len(got), len(data), err)
			}
		})
	}
}

// TestTruncated cuts a file of every format at every byte (every third, unless XTOO_TEST_LONG is set).
func TestTruncated(t *testing.T) {
	noLeaks(t)
	data := sample(t)
	for name, p := range packings {
		t.Run(name, func(t *testing.T) {
			path, packed := tempFile(t), p.pack(t, data)
			whole := len(packed)
			if name == "xzMulti" {
				whole -= 4 // without its last stream padding, the file is complete as well
			}
			if err := os.WriteFile(path, packed[:whole], 0o600); err != nil {
				t.Fatal(err)
			}
			step := 3
			if testutil.IsLong() {
				step = 1
			}
			for n := whole - 1; n >= 0; n -= step {
				if err := os.Truncate(path, int64(n)); err != nil {
					t.Fatal(err)
				}
				got, _, err := unpackPath(t, path)
				switch {
				case err == nil:
					t.Fatalf("cut to %d of %d bytes: taken for good", n, len(packed))
				case errors.Is(err, errTruncated):
				case errors.Is(err, ErrNotTar) && (n == 0 || name == "tar" && n < blockSize || name == "zstMulti" && n < 4 || strings.Contains(err.Error(), "nothing at all")):
				default:
					t.Fatalf("cut to %d of %d bytes: %v", n, len(packed), err)
				}
				if !bytes.HasPrefix(data, got) {
					t.Fatalf("cut to %d of %d bytes: wrong data before the error", n, len(packed))
				}
			}
		})
	}
}

// TestFlipped damages every bit (every 41st, unless XTOO_TEST_LONG is set) of a file of every compressed format in turn. Some bits mean nothing
// (times and names in a gzip header); what matters is that no wrong data passes, and that damage is
// called damage even if it shows as an odd name first.
func TestFlipped(t *testing.T) {
	noLeaks(t)
	data := sample(t)
	for name, p := range packings {
		if p.format == packed.None {
			continue
		}
		t.Run(name, func(t *testing.T) {
			path, packed := tempFile(t), p.pack(t, data)
			step := 41
			if testutil.IsLong() {
				step = 1
			}
			for i := 0; i < len(packed)*8; i += step {
				bad := bytes.Clone(packed)
				bad[i/8] ^= 1 << (i % 8)
				got, _, err := unpackFile(t, path, bad)
				if err == nil && !bytes.Equal(got, data) {
					t.Fatalf("bit %d of byte %d: wrong data passes", i%8, i/8)
				}
				if err != nil && !errors.Is(err, errTruncated) && !errors.Is(err, errCorrupt) &&
					!errors.Is(err, errUnsupported) && !errors.Is(err, ErrNotTar) {
					t.Fatalf("bit %d of byte %d: unexpected kind of error: %v", i%8, i/8, err)
				}
			}
		})
	}
}

func TestTrailingGarbage(t *testing.T) {
	data := sample(t)
	for name, p := range packings {
		if p.format == packed.None {
			continue
		}
		for _, garbage := range []string{"x", "garbage!", "\x00", strings.Repeat("y", 5000)} {
			if garbage == "\x00" && p.format == packed.Gzip {
				continue // padding
			}
			_, _, err := unpackFile(t, tempFile(t), append(p.pack(t, data), garbage...))
			if !errors.Is(err, errCorrupt) && !errors.Is(err, errTruncated) {
				t.Errorf("%s followed by %.8q: %v", name, garbage, err)
			}
		}
	}
}

func TestNotTar(t *testing.T) {
	text := strings.Repeat("Straße und Wald. ", 60)
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct{ data, hint string }{
		{"", "empty"},
		{text, "text"},
		{"short", "text"},
		{string(self[:4096]), "ELF"},
		{"\n<!DOCTYPE html>\n<html><body>404", "web page"},
		{"<HTML>" + text, "web page"},
		{"sha256 0123\n", "hash file"},
		{"-----BEGIN PGP SIGNATURE-----\n", "OpenPGP"},
		{"PK\x03\x04" + text, "zip"},
		{"hsqs\x00\x01", "squashfs"},
		{"\x01\x02\x03", "3 bytes"},
		{strings.Repeat("\x01\x02\xff", 600), "checksum"},
		{string(gzipBytes(t, []byte(text))), "gz data of a text"},
		{string(xzBytes(t, []byte(text), 0)), "xz data of a text"},
		{string(zstdBytes(t, nil)), "nothing"},
		{string(gzipBytes(t, xzBytes(t, sample(t), 0))), "twice"},
	} {
		_, _, err := unpackFile(t, tempFile(t), []byte(tc.data))
		if !errors.Is(err, ErrNotTar) || !strings.Contains(err.Error(), tc.hint) {
			t.Errorf("%.20q: want a hint at %q, got: %v", tc.data, tc.hint, err)
		}
	}
}

func TestOpenErrors(t *testing.T) {
	dir := t.TempDir()
	if _, _, err := Open(context.Background(), filepath.Join(dir, "missing"), OpenOptions{}); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("missing file: %v", err)
	}
	if _, _, err := Open(context.Background(), dir, OpenOptions{}); !errors.Is(err, syscall.EISDIR) {
		t.Errorf("directory: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, _, err := Open(ctx, dir, OpenOptions{}); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

// bigTar is a tar of some megabytes that compress quickly, but not to nothing.
func bigTar(tb testing.TB, megabytes int) []byte {
	rnd := rand.New(rand.NewPCG(1, 2))
	page := make([]byte, 4096)
	for i := range page {
		page[i] = byte(rnd.Uint32())
	}
	var members []testutil.Member
	for i := range megabytes {
		body := bytes.Repeat(page, 256)
		for range 4096 {
			body[rnd.IntN(len(body))] = byte(rnd.Uint32())
		}
		members = append(members, testutil.File(fmt.Sprintf("./f%d", i), string(body)))
	}
	return testutil.Tar(tb, members...)
}

// TestCancel ends streams of every format in the middle, by context and by Close.
func TestCancel(t *testing.T) {
	noLeaks(t)
	data := bigTar(t, 4)
	for name, p := range packings {
		t.Run(name, func(t *testing.T) {
			path := tempFile(t)
			var packed []byte
			switch name { // blocks of a size that counts
			case "xz":
				packed = xzBytes(t, data, 1<<18)
			case "xzMulti":
				packed = append(xzBytes(t, data[:1<<20], 1<<17), xzBytes(t, data[1<<20:], 1<<18)...)
			default:
				packed = p.pack(t, data)
			}
			if err := os.WriteFile(path, packed, 0o600); err != nil {
				t.Fatal(err)
			}
			for _, byContext := range []bool{true, false} {
				ctx, cancel := context.WithCancel(context.Background())
				defer cancel()
				r, _, err := Open(ctx, path, OpenOptions{Jobs: 2})
				if err != nil {
					t.Fatal(err)
				}
				if _, err := io.CopyN(io.Discard, r, 600<<10); err != nil {
					t.Fatal(err)
				}
				want := fs.ErrClosed
				if byContext {
					cancel()
					want = context.Canceled
				} else if err := r.Close(); err != nil {
					t.Fatal(err)
				}
				if _, err := io.Copy(io.Discard, r); !errors.Is(err, want) {
					t.Fatalf("want %v, got %v", want, err)
				}
				for range 2 {
					if err := r.Close(); err != nil {
						t.Fatal(err)
					}
				}
			}
		})
	}
}

// TestCloseWhileReading closes from another goroutine.
func TestCloseWhileReading(t *testing.T) {
	noLeaks(t)
	path := tempFile(t)
	if err := os.WriteFile(path, xzBytes(t, bigTar(t, 1), 1<<16), 0o600); err != nil {
		t.Fatal(err)
	}
	for i := range 20 {
		r, _, err := Open(context.Background(), path, OpenOptions{Jobs: 2})
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan error, 1)
		go func() {
			_, err := io.Copy(io.Discard, r)
			done <- err
		}()
		time.Sleep(time.Duration(i) * time.Millisecond)
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-done; err != nil && !errors.Is(err, fs.ErrClosed) {
			t.Fatal(err)
		}
	}
}

// TestPipe reads what cannot seek, and gives up a pipe whose writer sleeps.
func TestPipe(t *testing.T) {
	noLeaks(t)
	data := sample(t)
	for name, p := range packings {
		t.Run(name, func(t *testing.T) {
			end, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			defer end.Close()
			packed := p.pack(t, data)
			go func() {
				_, _ = w.Write(packed) // a failure shows in what is read
				_ = w.Close()
			}()
			r, format, err := Open(context.Background(), fmt.Sprintf("/dev/fd/%d", end.Fd()), OpenOptions{})
			if err != nil || format != p.format {
				t.Fatal(format, err)
			}
			var got bytes.Buffer
			if _, err := Copy(context.Background(), &got, r, CopyOptions{}); err != nil || !bytes.Equal(got.Bytes(), data) {
				t.Fatalf("%d bytes, %v", got.Len(), err)
			}
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
		})
	}
	t.Run("sleeping writer", func(t *testing.T) {
		path := tempFile(t)
		if err := syscall.Mkfifo(path, 0o600); err != nil {
			t.Fatal(err)
		}
		w, err := os.OpenFile(path, os.O_RDWR, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		packed := gzipBytes(t, data)
		if _, err := w.Write(packed[:len(packed)-10]); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
		defer cancel()
		r, _, err := Open(ctx, path, OpenOptions{})
		if err != nil {
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatal(err)
			}
			return
		}
		if _, err := io.Copy(io.Discard, r); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
}

// TestDictionary asks for more memory than is given.
func TestDictionary(t *testing.T) {
	testutil.Need(t, "xz")
	data := testutil.Tar(t, testutil.File("./a", "b"))
	path := tempFile(t)
	for dict, want := range map[string]error{"128MiB": nil, "192MiB": errUnsupported} {
		file := testutil.Tool{Stdin: bytes.NewReader(data)}.Run(t, "xz", "-c", "--lzma2=dict="+dict+",mf=hc4,mode=fast")
		if _, _, err := unpackFile(t, path, []byte(file)); !errors.Is(err, want) {
			t.Errorf("dictionary of %s: %v", dict, err)
		}
	}
}

// TestXZTool reads what the reference implementation writes: checks, filters, block sizes, threads.
func TestXZTool(t *testing.T) {
	testutil.Need(t, "xz")
	data := bigTar(t, 1)
	for _, args := range []string{"-0", "-0 -T4 --block-size=300000", "-6 -T2 --block-size=1MiB", "-1 --check=none", "-1 --check=crc32",
		"-1 --check=sha256 --block-size=100000", "--x86 --lzma2=preset=1 --block-size=500000", "--delta=dist=4 --lzma2=preset=1",
		"--arm --powerpc --sparc --lzma2=preset=0", "-0 --block-list=1000,2000,512,70000"} {
		file := testutil.Tool{Stdin: bytes.NewReader(data)}.Run(t, "xz", append([]string{"-c"}, strings.Fields(args)...)...)
		got, format, err := unpackFile(t, tempFile(t), []byte(file))
		if err != nil || format != packed.XZ || !bytes.Equal(got, data) {
			t.Errorf("xz %s: %d bytes of %d, %v", args, len(got), len(data), err)
		}
	}
}

// TestStage3 reads a real stage3, and has Copy keep every byte of it.
func TestStage3(t *testing.T) {
	path := stage3(t)
	testutil.Need(t, "pixz", "tar")
	r, _, err := Open(context.Background(), path, OpenOptions{})
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	want := testutil.Run(t, "sh", "-c", "pixz -d < \"$0\" | sha256sum", path)
	h := newHash()
	sum, err := Copy(context.Background(), h, r, CopyOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if got := h.hex(); got != want[:len(got)] {
		t.Fatalf("sha256 %s, want %s", got, want)
	}
	if n := strings.Count(testutil.Run(t, "tar", "-tf", path), "\n"); sum.Entries != int64(n) {
		t.Errorf("%d entries, tar lists %d", sum.Entries, n)
	}
	t.Logf("%+v", sum)
}

// hostile counts in headers must not size anything: the largest tar header alone would ask for 8 EiB.
func TestAbsurdSize(t *testing.T) {
	data := withEnd(rawHeader("a", tar.TypeReg, "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff"))
	if _, _, err := copyAll(data, CopyOptions{}); !errors.Is(err, errHostile) {
		t.Error(err)
	}
	data = withEnd(rawHeader("a", tar.TypeReg, "77777777777\x00"))
	if _, _, err := copyAll(data, CopyOptions{}); !errors.Is(err, errTruncated) {
		t.Error(err)
	}
}
