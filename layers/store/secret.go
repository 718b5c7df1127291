package store

import (
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"xtoo/internal/atomicfile"
)

// secretKeyFile is its name in cache/.
const secretKeyFile = "secret-key"

// secretKeySize is the size of the store's key in bytes.
const secretKeySize = 32

// SecretKey returns a random key that only this store has, making it when it is first asked for. Digests of secrets
// are taken under it: the plain ones could be guessed back.
func (s *Store) SecretKey() ([]byte, error) {
	path := s.path(dirCache, secretKeyFile)
	for range 2 {
		key, err := s.readSecretKey(path)
		if key != nil || err != nil {
			return key, err
		}
		if err := s.make(); err != nil {
			return nil, err
		}
		if err := atomicfile.Write(path, newSecretKey(), 0o600); err != nil {
			return nil, fmt.Errorf("make the store's key: %w", err)
		}
		// Read it again: of two processes that make one at once, both use the one that stayed.
	}
	return nil, fmt.Errorf("read the store's key %s: it has another length than %d bytes", path, secretKeySize)
}

// LookSecretKey is [Store.SecretKey] for who must not write: where the store has no key, so that nothing in it was
// made under one, it is a new one that nobody keeps.
func (s *Store) LookSecretKey() ([]byte, error) {
	key, err := s.readSecretKey(s.path(dirCache, secretKeyFile))
	if key == nil && err == nil {
		key = newSecretKey()
	}
	return key, err
}

// readSecretKey returns nil where there is no key, or one of another length.
func (s *Store) readSecretKey(path string) ([]byte, error) {
	key, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if len(key) != secretKeySize {
		return nil, nil
	}
	return key, nil
}

func newSecretKey() []byte {
	key := make([]byte, secretKeySize)
	_, _ = rand.Read(key) // crypto/rand does not fail
	return key
}
