package store

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/atomicfile"
)

// The kinds of records. Each is a directory below cache/.
const (
	KindNode  = "nodes"  // key of a node → what it made
	KindLayer = "layers" // diff id → the blobs that hold it
	KindBase  = "bases"  // digest of a stage3 file and what is excluded, or of an image → its layers
	KindFile  = "files"  // path of a file outside → its identity and digest
	KindLast  = "last"   // project and node → the inputs of its last execution

	KindEmulation = "emulations" // architecture, emulator, boot of this machine → how programs are executed
)

// recordVersion is part of every record's name: records of another version are simply not found.
const recordVersion = "1"

var hexName = regexp.MustCompile(`^[0-9a-f]{64}$`)

// Get reads the record of a key into v and says whether there was one. A record that cannot be read or
// understood counts as none: records can always be made again.
func (s *Store) Get(kind string, key digest.Digest, v any) bool {
	data, err := os.ReadFile(s.recordPath(kind, key))
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("cannot read a record of the cache", "error", err)
		}
		return false
	}
	if err := json.Unmarshal(data, v); err != nil {
		s.log.Warn("a record of the cache is damaged and will be made again", "path", s.recordPath(kind, key), "error", err)
		return false
	}
	return true
}

// Put writes the record of a key, over an older one. It is whole or not there, but it is not synced:
// a power cut costs the record and nothing else.
func (s *Store) Put(kind string, key digest.Digest, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("encode a %s record: %w", kind, err)
	}
	path := s.recordPath(kind, key)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), ".*.part")
	if err != nil {
		return err
	}
	_, werr := tmp.Write(append(data, '\n'))
	if err := errors.Join(werr, tmp.Close()); err != nil {
		return errors.Join(fmt.Errorf("write a %s record: %w", kind, err), os.Remove(tmp.Name()))
	}
	if err := os.Rename(tmp.Name(), path); err != nil {
		return errors.Join(err, os.Remove(tmp.Name()))
	}
	return nil
}

// Delete removes the record of a key, if there is one.
func (s *Store) Delete(kind string, key digest.Digest) error {
	err := os.Remove(s.recordPath(kind, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Keys returns the keys of all records of a kind.
func (s *Store) Keys(kind string) ([]digest.Digest, error) {
	entries, err := os.ReadDir(s.path(dirCache, kind, recordVersion))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var keys []digest.Digest
	for _, e := range entries {
		name, ok := cutJSON(e.Name())
		if ok && hexName.MatchString(name) {
			keys = append(keys, digest.NewDigestFromEncoded(digest.SHA256, name))
		}
	}
	return keys, nil
}

func cutJSON(name string) (string, bool) {
	ext := filepath.Ext(name)
	return name[:len(name)-len(ext)], ext == ".json"
}

func (s *Store) recordPath(kind string, key digest.Digest) string {
	return s.path(dirCache, kind, recordVersion, key.Encoded()+".json")
}

// SecretKey returns a random key that only this store has, making it when it is first asked for. Digests of secrets
// are taken under it: the plain ones could be guessed back.
func (s *Store) SecretKey() ([]byte, error) {
	path := s.path(dirCache, "secret-key")
	for range 2 {
		key, err := os.ReadFile(path)
		if err == nil && len(key) == secretKeySize {
			return key, nil
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
		key = make([]byte, secretKeySize)
		_, _ = rand.Read(key) // crypto/rand does not fail
		if err := atomicfile.Write(path, key, 0o600); err != nil {
			return nil, fmt.Errorf("make the store's key: %w", err)
		}
		// Read it again: of two processes that make one at once, both use the one that stayed.
	}
	return nil, fmt.Errorf("read the store's key %s: it has another length than %d bytes", path, secretKeySize)
}

const secretKeySize = 32
