package main

import (
	"archive/tar"
	"cmp"
	"compress/gzip"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/ulikunitz/xz"
)

// blockSize is the uncompressed size of a block of .tar.xz: small enough that even this small stage3 has many, as
// published ones do.
const blockSize = 512 << 10

// packer returns the compression that a file name's suffix asks for.
func packer(name string) (func(io.Writer) (io.WriteCloser, error), error) {
	switch {
	case strings.HasSuffix(name, ".tar"):
		return func(w io.Writer) (io.WriteCloser, error) { return plain{w}, nil }, nil
	case strings.HasSuffix(name, ".tar.gz"):
		return func(w io.Writer) (io.WriteCloser, error) { return gzip.NewWriter(w), nil }, nil
	case strings.HasSuffix(name, ".tar.zst"):
		return func(w io.Writer) (io.WriteCloser, error) { return zstd.NewWriter(w, zstd.WithEncoderConcurrency(1)) }, nil
	case strings.HasSuffix(name, ".tar.xz"):
		return func(w io.Writer) (io.WriteCloser, error) {
			return xz.WriterConfig{BlockSize: blockSize, DictCap: blockSize}.NewWriter(w)
		}, nil
	}
	return nil, fmt.Errorf("%s: the name must end in .tar, .tar.gz, .tar.xz or .tar.zst", name)
}

// plain is a writer with nothing to close.
type plain struct{ io.Writer }

func (plain) Close() error { return nil }

// sorted returns the members in the order of their names, parents before what is in them.
func sorted(all []member) []member {
	slices.SortFunc(all, func(a, b member) int { return cmp.Compare(a.Name, b.Name) })
	return all
}

// writeTar writes the members as a PAX archive.
func writeTar(w io.Writer, all []member) error {
	tw := tar.NewWriter(w)
	for _, m := range all {
		h := m.Header
		h.Format, h.ModTime, h.Size = tar.FormatPAX, published, int64(len(m.data))
		if h.Typeflag == tar.TypeDir && !strings.HasSuffix(h.Name, "/") {
			h.Name += "/"
		}
		if err := tw.WriteHeader(&h); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
		if _, err := io.WriteString(tw, m.data); err != nil {
			return fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	return tw.Close()
}
