package store

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/atomicfile"
	"xtoo/internal/filelock"
)

// UpdateIndex changes the index.json of the store's layout, under a lock: edit gets the document (nil where there is none
// yet) and returns what it shall be. It must not depend on anything else: it is asked once without the lock, to see
// whether there is anything to do, and then again. An index that stays the same is not written; after an error it is
// as it was.
func (s *Store) UpdateIndex(ctx context.Context, edit func(old []byte) ([]byte, error)) error {
	if _, changed, err := s.editIndex(edit); err != nil || !changed {
		return err
	}
	if err := s.make(); err != nil {
		return err
	}
	lock, err := filelock.Dir(ctx, s.LayoutDir(), s.path(dirLayout, v1.ImageLayoutFile))
	if err != nil {
		return fmt.Errorf("lock the store's layout: %w", err)
	}
	data, changed, err := s.editIndex(edit)
	if err == nil && changed {
		err = s.writeIndex(data)
	}
	return errors.Join(err, lock.Unlock())
}

// editIndex reads the index and edits it.
func (s *Store) editIndex(edit func([]byte) ([]byte, error)) (data []byte, changed bool, err error) {
	old, err := os.ReadFile(s.path(dirLayout, v1.ImageIndexFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, false, fmt.Errorf("the store's layout: %w", err)
	}
	if data, err = edit(old); err != nil {
		return nil, false, fmt.Errorf("the store's layout %s: %w", s.LayoutDir(), err)
	}
	return data, old == nil || !bytes.Equal(old, data), nil
}

// writeIndex replaces the index. The file that makes the directory a layout comes first.
func (s *Store) writeIndex(data []byte) error {
	name := s.path(dirLayout, v1.ImageLayoutFile)
	if _, err := os.Stat(name); errors.Is(err, fs.ErrNotExist) {
		if err := atomicfile.Write(name, []byte(`{"imageLayoutVersion":"`+v1.ImageLayoutVersion+`"}`), 0o644); err != nil {
			return fmt.Errorf("make the store's layout: %w", err)
		}
	}
	if err := atomicfile.SyncDir(s.path(dirLayout, v1.ImageBlobsDir, digest.SHA256.String())); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("make the store's blobs durable: %w", err)
	}
	if err := atomicfile.Write(s.path(dirLayout, v1.ImageIndexFile), data, 0o644); err != nil {
		return fmt.Errorf("write the index of the store's layout: %w", err)
	}
	return nil
}
