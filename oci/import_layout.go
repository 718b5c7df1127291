package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/streams"
)

// A layoutReader reads an image layout wherever its files are. name is a slash path inside the layout; a file
// that is not there is fs.ErrNotExist.
//
// Layouts from elsewhere are read with this rather than with oci/layout and oci/archive of containers/image:
// those read documents of any size, and the archive transport unpacks the whole archive, links and devices
// included, to answer what its index says.
type layoutReader func(name string) (io.ReadCloser, error)

// dirReader reads a layout in a directory.
func dirReader(dir string) layoutReader {
	return func(name string) (io.ReadCloser, error) {
		return openRegular(filepath.Join(dir, filepath.FromSlash(name)))
	}
}

// Open implements [BlobSource].
func (l layoutReader) Open(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	name, err := blobName(d)
	if err != nil {
		return nil, err
	}
	return l(name)
}

// document reads one of the layout's own two files.
func (l layoutReader) document(name string) ([]byte, error) {
	r, err := l(name)
	if err != nil {
		return nil, err
	}
	data, err := readDocument(r)
	return data, errors.Join(err, r.Close())
}

// resolve finds the manifest that a name stands for on a platform.
func (l layoutReader) resolve(ctx context.Context, name string, platform *v1.Platform) (v1.Descriptor, error) {
	data, err := l.document(v1.ImageLayoutFile)
	if errors.Is(err, fs.ErrNotExist) {
		return v1.Descriptor{}, fmt.Errorf("%w: it has no file %s", ErrNotLayout, v1.ImageLayoutFile)
	}
	if err == nil {
		err = parseLayoutFile(data)
	}
	if err != nil {
		return v1.Descriptor{}, err
	}
	data, err = l.document(v1.ImageIndexFile)
	if errors.Is(err, fs.ErrNotExist) {
		return v1.Descriptor{}, fmt.Errorf("%w: it has no file %s", ErrNotLayout, v1.ImageIndexFile)
	}
	if err != nil {
		return v1.Descriptor{}, err
	}
	index, err := parseIndex(data)
	if err != nil {
		return v1.Descriptor{}, fmt.Errorf("%s: %w", v1.ImageIndexFile, err)
	}
	d, err := choose(index, name, platform)
	for depth := 0; err == nil && isIndex(d.MediaType); depth++ {
		if depth > maxNesting {
			return v1.Descriptor{}, fmt.Errorf("%w: indexes nested deeper than %d", errInvalid, maxNesting)
		}
		if data, err = readBlob(ctx, l, d); err != nil {
			return v1.Descriptor{}, err
		}
		if index, err = parseIndex(data); err != nil {
			return v1.Descriptor{}, fmt.Errorf("blob %s: %w", d.Digest, err)
		}
		d, err = pick(index, platform)
	}
	if err == nil && !isManifest(d.MediaType) {
		err = fmt.Errorf("%w: media type %.80q is neither a manifest's nor an index's", errInvalid, d.MediaType)
	}
	return d, err
}

// choose finds the entry of a layout's index. Tools that know no indexes write one entry for each platform under
// the same name; together they are taken as the index that was meant.
func choose(index v1.Index, name string, platform *v1.Platform) (v1.Descriptor, error) {
	var names []string
	var found []v1.Descriptor
	for _, m := range index.Manifests {
		n := m.Annotations[v1.AnnotationRefName]
		if n != "" {
			names = append(names, n)
		}
		if name == "" || n == name {
			found = append(found, m)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) == 0 && name == "":
		return v1.Descriptor{}, fmt.Errorf("%w: it is empty", errRefNotFound)
	case len(found) == 0:
		return v1.Descriptor{}, withHint(fmt.Errorf("%w %q", errRefNotFound, name), "it has: "+listOr(names, "no named image"))
	case name == "" && len(names) != 1:
		return v1.Descriptor{}, withHint(ErrAmbiguous, "it has: "+listOr(names, "images without names"))
	}
	return pick(v1.Index{Manifests: found}, platform)
}

// openLayoutImage reads the documents of an image in a layout.
func openLayoutImage(ctx context.Context, l layoutReader, r Reference, o ImportOptions) (*image, error) {
	if r.Transport == "oci" {
		if info, err := os.Stat(r.Path); err != nil {
			return nil, err
		} else if !info.IsDir() {
			return nil, withHint(fmt.Errorf("%w: it is not a directory", ErrNotLayout), "an archive is read with oci-archive: or docker-archive:")
		}
	}
	desc, err := l.resolve(ctx, r.Name, o.Platform)
	if err != nil {
		return nil, err
	}
	data, err := readBlob(ctx, l, desc)
	if err != nil {
		return nil, err
	}
	manifest, err := parseManifest(data)
	if err != nil {
		return nil, err
	}
	if data, err = readBlob(ctx, l, manifest.Config); err != nil {
		return nil, err
	}
	config, err := ParseConfig(data)
	if err != nil {
		return nil, err
	}
	return &image{
		id: desc.Digest, document: data, config: config, layers: manifest.Layers,
		copyLayer: l.copyLayer, close: func() error { return nil },
	}, nil
}

// copyLayer brings one blob into the sink as it is, verifying its digest and its diff id on the way.
func (l layoutReader) copyLayer(ctx context.Context, desc v1.Descriptor, diffID digest.Digest, sink BlobSink) (_ ImportedLayer, err error) {
	r, err := l.Open(ctx, desc.Digest)
	if errors.Is(err, fs.ErrNotExist) && len(desc.URLs) > 0 {
		return ImportedLayer{}, fmt.Errorf("blob %s is to be fetched from elsewhere, which xtoo does not: %w", desc.Digest, err)
	}
	if err != nil {
		return ImportedLayer{}, fmt.Errorf("open blob %s: %w", desc.Digest, err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	check := newDiffReader(ctx, newVerifier(r, desc), diffID)
	defer check.Close()
	stored, err := store(ctx, sink, check)
	if err != nil {
		return ImportedLayer{}, err
	}
	// The truth about the compression is the content's: some tools name every layer gzip.
	stored.MediaType = check.mediaType
	return ImportedLayer{LayerRef: LayerRef{Descriptor: stored, DiffID: diffID}, Size: check.size}, nil
}

// store writes what r yields as a blob.
func store(ctx context.Context, sink BlobSink, r io.Reader) (v1.Descriptor, error) {
	w, err := sink.Create(ctx)
	if err != nil {
		return v1.Descriptor{}, err
	}
	defer w.Abort()
	if _, err := io.CopyBuffer(struct{ io.Writer }{w}, streams.WithContext(ctx, r), make([]byte, 256<<10)); err != nil {
		return v1.Descriptor{}, err
	}
	d, size, err := w.Commit()
	return v1.Descriptor{Digest: d, Size: size}, err
}
