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
	"strings"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"
	"golang.org/x/sys/unix"

	"xtoo/internal/atomicfile"
)

// A Layout is an image layout directory. It holds no open file and no state: every call reads what is there, so
// a Layout may be used from several goroutines and beside other processes. It is a [BlobSource].
// (image-spec, image-layout.md)
//
// umoci's cas/dir engine is not used for writing. Its PutIndex syncs the new index but not the directory that
// names it; its read-modify-write of an index takes no lock, so one of two builds at once loses its references;
// Create leaves a directory that is not a layout when it is killed halfway; StatBlob looks in the working
// directory; nothing that is read is limited; and its temporary directory stays behind after a kill.
type Layout struct {
	dir string
}

// OpenLayout opens the layout in dir. A directory that is no layout is [ErrNotLayout], one whose oci-layout or
// index.json is garbage errInvalid. Nothing is created.
func OpenLayout(dir string) (*Layout, error) {
	l := &Layout{dir: dir}
	state, err := l.inspect()
	if err != nil {
		return nil, err
	}
	if state != stateLayout {
		if _, err := os.Stat(dir); err != nil {
			return nil, fmt.Errorf("open layout: %w", err)
		}
		return nil, fmt.Errorf("open layout %s: %w: it has no file %s", dir, ErrNotLayout, v1.ImageLayoutFile)
	}
	if _, err := l.index(); err != nil {
		return nil, err
	}
	return l, nil
}

// path is the file of a blob, whether it is there or not. An error means that d is no digest.
func (l *Layout) path(d digest.Digest) (string, error) {
	name, err := blobName(d)
	if err != nil {
		return "", err
	}
	return filepath.Join(l.dir, filepath.FromSlash(name)), nil
}

// Open opens a blob; the caller closes it. What is read has not been verified. The reader is an *os.File.
func (l *Layout) Open(_ context.Context, d digest.Digest) (io.ReadCloser, error) {
	name, err := blobName(d)
	if err != nil {
		return nil, err
	}
	return openRegular(filepath.Join(l.dir, filepath.FromSlash(name)))
}

// Refs lists the named references, by name. Entries without a name are left out.
func (l *Layout) Refs() ([]Ref, error) {
	doc, err := l.index()
	if err != nil {
		return nil, err
	}
	var refs []Ref
	for _, e := range doc.entries {
		if e.name() != "" {
			refs = append(refs, Ref{Name: e.name(), Descriptor: e.desc})
		}
	}
	slices.SortStableFunc(refs, func(a, b Ref) int { return strings.Compare(a.Name, b.Name) })
	return refs, nil
}

// layoutState is what stands in a directory.
type layoutState int

const (
	stateEmpty  layoutState = iota // missing, or nothing in it but blobs and what a killed creation left
	stateLayout                    // has a legal oci-layout
)

// inspect tells an empty directory from a layout; everything else is an error. Without the lock somebody else
// may make or remove a layout while it looks, so it looks again where what it saw does not fit together.
func (l *Layout) inspect() (layoutState, error) {
	const tries = 20
	for i := 0; ; i++ {
		data, err := readFile(filepath.Join(l.dir, v1.ImageLayoutFile))
		if err == nil {
			if err := parseLayoutFile(data); err != nil {
				return stateEmpty, withHint(fmt.Errorf("layout %s: %w", l.dir, err), garbageHint)
			}
			return stateLayout, nil
		}
		if errors.Is(err, unix.ENOTDIR) {
			return stateEmpty, fmt.Errorf("layout %s: %w: it is not a directory", l.dir, ErrNotLayout)
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return stateEmpty, unwritable(l.dir, fmt.Errorf("layout %s: %w", l.dir, err))
		}
		entries, err := os.ReadDir(l.dir)
		if errors.Is(err, fs.ErrNotExist) {
			return stateEmpty, nil
		}
		if err != nil {
			return stateEmpty, unwritable(l.dir, fmt.Errorf("layout %s: %w", l.dir, err))
		}
		if i < tries && slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Name() == v1.ImageLayoutFile }) {
			continue
		}
		return stateEmpty, l.checkEmpty(entries)
	}
}

// garbageHint goes with documents that cannot be read.
const garbageHint = "nothing was changed; name another directory, or remove this one if it is rubbish"

// checkEmpty refuses a directory without oci-layout in which something stands that is not ours to write beside.
func (l *Layout) checkEmpty(entries []fs.DirEntry) error {
	for _, e := range entries {
		// Blobs alone are a store that has built nothing yet: index and oci-layout are still to come.
		if isLeftover(e.Name()) || e.Name() == v1.ImageBlobsDir && e.IsDir() {
			continue
		}
		return withHint(fmt.Errorf("layout %s: %w: it holds %q and no file %s", l.dir, ErrNotLayout, e.Name(), v1.ImageLayoutFile),
			"nothing was changed; name a directory that is missing, empty, or an OCI image layout")
	}
	return nil
}

// index reads index.json. A missing one is empty: a creation that was killed between the two files leaves that.
func (l *Layout) index() (*indexDoc, error) {
	data, err := readFile(filepath.Join(l.dir, v1.ImageIndexFile))
	if errors.Is(err, fs.ErrNotExist) {
		return &indexDoc{}, nil
	}
	if err != nil {
		return nil, fmt.Errorf("layout %s: %w", l.dir, err)
	}
	doc, err := parseIndexDoc(data)
	if err != nil {
		return nil, withHint(fmt.Errorf("layout %s: %s: %w", l.dir, v1.ImageIndexFile, err), garbageHint)
	}
	return doc, nil
}

// writeIndex replaces index.json, whole or not at all.
func (l *Layout) writeIndex(doc *indexDoc) error {
	data, err := doc.bytes()
	if err == nil {
		err = l.syncBlobs()
	}
	if err == nil {
		err = atomicfile.Write(filepath.Join(l.dir, v1.ImageIndexFile), data, 0o644)
	}
	if err != nil {
		return unwritable(l.dir, fmt.Errorf("layout %s: write %s: %w", l.dir, v1.ImageIndexFile, err))
	}
	return nil
}

// syncBlobs makes the names of blobs durable, in which an index may trust then.
func (l *Layout) syncBlobs() error {
	err := atomicfile.SyncDir(filepath.Join(l.dir, v1.ImageBlobsDir, digest.SHA256.String()))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// unwritable adds to a refusal by the file system what to do about it.
func unwritable(dir string, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return withHint(err, "make "+dir+" accessible and writable for this user, or name another directory")
	case errors.Is(err, unix.EROFS):
		return withHint(err, dir+" is on a read-only file system; name another directory")
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return withHint(err, "make room on the file system of "+dir+" and build again; the layout is as it was before")
	}
	return err
}
