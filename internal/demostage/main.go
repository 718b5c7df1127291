// Command demostage makes a small stage3 on the spot, from Go source alone: a static multi-call binary (package box:
// a shell and the usual tools), a Funtoo-like layout around it, and a few of the awkward members that a published
// stage3 has. The example tree is built from it, and so are tests that must run on a machine with nothing but Go.
//
//	go run ./internal/demostage -o .demo/stage3.tar.xz
//
// The suffix of the output chooses the compression: .tar, .tar.gz, .tar.xz or .tar.zst. The same source, compiler
// and architecture give the same bytes. -arch makes one for another architecture (GOARCH in the environment would
// make a demostage that runs there). Its programs run under qemu-user, too, all but those for x86-32bit: Go's crash
// under qemu-i386, but a 64-bit x86 runs them itself.
package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/signal"
	"path/filepath"

	"xtoo/internal/atomicfile"
	"xtoo/qemu"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	var o options
	flag.StringVar(&o.out, "o", "", "write the stage3 to `FILE` (.tar, .tar.gz, .tar.xz or .tar.zst)")
	flag.StringVar(&o.arch, "arch", "", "build the stage3 for the architecture of this `NAME`, say arm-64bit/raspi4 (default: this machine's)")
	flag.StringVar(&o.goProgram, "go", "go", "the `PROGRAM` that compiles")
	flag.Parse()
	if o.out == "" || flag.NArg() > 0 {
		flag.Usage()
		os.Exit(2)
	}
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "demostage:", err)
		stop()
		os.Exit(1)
	}
}

// options are the flags; an empty arch is this machine's.
type options struct{ out, arch, goProgram string }

// run writes the stage3 to o.out, whole or not at all. A file that has these bytes already is left alone.
func run(ctx context.Context, o options) error {
	arch := qemu.Host()
	if o.arch != "" || arch.IsZero() {
		var err error
		if arch, err = qemu.Lookup(o.arch, ""); err != nil {
			return err
		}
	}
	pack, err := packer(o.out)
	if err != nil {
		return err
	}
	tmp, err := os.MkdirTemp("", "demostage-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp) // a compiled binary and nothing else
	box, err := compile(ctx, o.goProgram, tmp, arch)
	if err != nil {
		return err
	}
	tools, err := toolNames(ctx, o.goProgram, tmp, box, arch)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(o.out), 0o755); err != nil {
		return err
	}
	out, err := atomicfile.Create(o.out, 0o644)
	if err != nil {
		return err
	}
	defer out.Abort()
	w, err := pack(out.File)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(box)
	if err != nil {
		return err
	}
	if err := writeTar(w, members(arch, data, tools)); err != nil {
		return errors.Join(fmt.Errorf("write %s: %w", o.out, err), w.Close())
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("write %s: %w", o.out, err)
	}
	if same, err := sameFile(out.File, o.out); err != nil || same {
		return err // left alone, so that whoever remembers a file by its time need not read it again
	}
	return out.Commit()
}

// sameFile reports whether the file just written has the bytes of the one at path.
func sameFile(f *os.File, path string) (bool, error) {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	size, err := f.Seek(0, io.SeekEnd)
	if err != nil || size != int64(len(old)) {
		return false, err
	}
	data := make([]byte, size)
	if _, err := f.ReadAt(data, 0); err != nil {
		return false, err
	}
	return bytes.Equal(data, old), nil
}
