package main

import (
	"context"
	"errors"
	"io"
	"os"

	"xtoo/unpack"
)

// decodeVerb is the argument by which this program is started to decode a stage3, as a process to be measured.
const decodeVerb = "decode"

// decodeFile decodes a stage3 as a build does, and leaves it at that.
func decodeFile(ctx context.Context, path string) error {
	r, _, err := unpack.Open(ctx, path, unpack.OpenOptions{})
	if err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, r)
	return errors.Join(err, r.Close())
}

// decode: the tar stream of a stage3, against xz.
func (b *bench) decode(ctx context.Context) ([]row, error) {
	const what = "decoding a full stage3"
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	missing := lacks("xz")
	theirs := func(int) (sample, error) { return b.xzDecode(ctx) }
	if missing != "" {
		theirs = nil
	}
	p, err := b.sideBySide(func(int) (sample, error) {
		return command(ctx, b.dir, nil, self, decodeVerb, b.full)
	}, theirs)
	if err != nil {
		return nil, err
	}
	return []row{compare(cpu, what, xzDecodes, p, 1.05, missing)}, nil
}

// xzDecodes names what xzDecode measures.
const xzDecodes = "`xz -dc`"

// xzDecode is xz alone, which the cost of decoding is measured by.
func (b *bench) xzDecode(ctx context.Context) (sample, error) {
	return command(ctx, b.dir, nil, "sh", "-c", `exec xz -dc -T1 "$1" > /dev/null`, "xz", b.full)
}
