package oci

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"regexp"
	"sync"

	"xtoo/internal/streams"
	"xtoo/internal/streams/packed"
	"xtoo/layers"
)

// layoutMember matches the names of an archive that belong to a layout; nothing else is remembered.
var layoutMember = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^(oci-layout|index\.json|blobs/(sha256|sha512)/[0-9a-f]{64,128})$`)
})

// maxMembers bounds what a hostile archive can make us remember.
const maxMembers = 1 << 16

// openArchiveImage reads the documents of an image in a tar file that holds a layout.
func openArchiveImage(ctx context.Context, r Reference, o ImportOptions) (*image, error) {
	f, done, err := openPlain(ctx, r.Path, o.TempDir)
	if err != nil {
		return nil, err
	}
	l, err := tarReader(ctx, f)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	img, err := openLayoutImage(ctx, l, r, o)
	if err != nil {
		return nil, errors.Join(err, done())
	}
	img.close = done
	return img, nil
}

// openPlain opens a file that may be compressed (gzip, zstd, xz, bzip2). A compressed one is first unpacked into
// an unnamed file in temp, so that members can be read in any order. done closes it.
func openPlain(ctx context.Context, name, temp string) (_ *os.File, done func() error, err error) {
	f, err := openRegular(name)
	if err != nil {
		return nil, nil, err
	}
	plain, format, err := packed.Open(streams.WithContext(ctx, f))
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%w: %w", errInvalid, err), f.Close())
	}
	if format == packed.None {
		_, err := f.Seek(0, io.SeekStart)
		return f, f.Close, errors.Join(err, plain.Close())
	}
	defer func() { err = errors.Join(err, plain.Close(), f.Close()) }()
	t, err := os.CreateTemp(temp, "oci-archive-")
	if err != nil {
		return nil, nil, err
	}
	if err := os.Remove(t.Name()); err != nil {
		return nil, nil, errors.Join(err, t.Close())
	}
	if _, err = io.Copy(t, layers.Limit(plain, layers.Bounds{}.WithDefaults().Bytes)); err == nil {
		_, err = t.Seek(0, io.SeekStart)
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("unpack the archive: %w", err), t.Close())
	}
	return t, t.Close, nil
}

// tarReader finds the members of a layout in a plain tar file. It jumps over their content.
func tarReader(ctx context.Context, f *os.File) (layoutReader, error) {
	members := map[string]*io.SectionReader{}
	t := tar.NewReader(f)
	for {
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		h, err := t.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return nil, fmt.Errorf("%w: not a tar archive that can be read: %w", errInvalid, err)
		}
		name := path.Clean(h.Name)
		if !layoutMember().MatchString(name) {
			continue
		}
		// A link could only repeat what stands under another digest, and a sparse member's bytes are not
		// contiguous; no tool writes either.
		if h.Typeflag != tar.TypeReg || h.PAXRecords["GNU.sparse.major"] != "" || h.PAXRecords["GNU.sparse.map"] != "" {
			return nil, fmt.Errorf("%w: member %q is not a plain file", errInvalid, name)
		}
		// archive/tar reads no further than the header, and seeks over what is not asked for.
		at, err := f.Seek(0, io.SeekCurrent)
		if err != nil {
			return nil, err
		}
		if len(members) >= maxMembers {
			return nil, fmt.Errorf("%w: more than %d blobs", errInvalid, maxMembers)
		}
		members[name] = io.NewSectionReader(f, at, h.Size)
	}
	return func(name string) (io.ReadCloser, error) {
		m, ok := members[name]
		if !ok {
			return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
		}
		return io.NopCloser(io.NewSectionReader(m, 0, m.Size())), nil
	}, nil
}
