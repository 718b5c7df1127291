package layers

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"sync"

	"github.com/opencontainers/go-digest"
)

// A Store is an open store. It is safe for concurrent use, by any number of processes.
// Whoever has written to it ends it with Close.
type Store struct {
	dir string
	log *slog.Logger

	mu   sync.Mutex
	work *workspace // nil until something is written
}

// The rooms of the store.
const (
	dirLayout = "oci"
	dirLayers = "layers"
	dirCache  = "cache"
	dirLocks  = "cache/locks"
	dirLogs   = "logs"
	dirStages = "stages"
	dirTmp    = "tmp"
)

// layerRoot is the directory below layers/HEX that is the layer itself. It is not layers/HEX: renaming
// a directory needs write permission on it, and an image's root may well have mode 0555.
const layerRoot = "fs"

// DefaultDir returns where the store is when nobody says otherwise: $XTOO_STORE, else
// $XDG_DATA_HOME/xtoo, else ~/.local/share/xtoo.
func DefaultDir() (string, error) {
	if d := os.Getenv("XTOO_STORE"); d != "" {
		return filepath.Abs(d)
	}
	if d := os.Getenv("XDG_DATA_HOME"); filepath.IsAbs(d) {
		return filepath.Join(d, "xtoo"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", fmt.Errorf("find the store: %w (set XTOO_STORE)", err)
	}
	return filepath.Join(home, ".local", "share", "xtoo"), nil
}

// Open opens the store in dir and makes what is missing of it. log may be nil.
func Open(dir string, log *slog.Logger) (*Store, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	s := &Store{dir: abs, log: log}
	if _, err := os.Stat(s.path(dirLocks)); err == nil {
		return s, nil
	}
	// 0700: a stage3 holds set-uid programs, and who can reach them can run them.
	if err := os.MkdirAll(abs, 0o700); err != nil {
		return nil, fmt.Errorf("make the store: %w", err)
	}
	for _, d := range []string{dirLayout + "/blobs/sha256", dirLayers, dirLogs, dirStages, dirTmp, dirLocks} {
		if err := os.MkdirAll(s.path(d), 0o700); err != nil {
			return nil, fmt.Errorf("make the store: %w", err)
		}
	}
	return s, nil
}

// Dir returns the store's absolute path.
func (s *Store) Dir() string { return s.dir }

// LayoutDir returns the directory of the store's OCI image layout.
func (s *Store) LayoutDir() string { return s.path(dirLayout) }

// LogDir returns the directory of the nodes' logs.
func (s *Store) LogDir() string { return s.path(dirLogs) }

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// Lock waits until the caller alone holds the lock of that name (any string), or ctx ends.
// waiting, if not nil, is called once when somebody else holds it. The caller calls unlock.
func (s *Store) Lock(ctx context.Context, name string, waiting func()) (unlock func() error, err error) {
	sum := sha256.Sum256([]byte(name))
	l, err := lockFile(ctx, s.path(dirLocks, hex.EncodeToString(sum[:16])), waiting)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return l.Unlock, nil
}

// LayerDir returns where the directory of a layer is or would be.
func (s *Store) LayerDir(diffID digest.Digest) string {
	return s.path(dirLayers, diffID.Encoded(), layerRoot)
}

// HasLayerDir says whether the layer is unpacked.
func (s *Store) HasLayerDir(diffID digest.Digest) bool {
	_, err := os.Stat(s.path(dirLayers, diffID.Encoded()))
	return err == nil
}

// AdoptLayerDir makes the directory holder, which must hold nothing but `fs`, the directory of a layer.
// If the layer is there already, holder is left where it is: the caller removes it with its workspace.
func (s *Store) AdoptLayerDir(holder string, diffID digest.Digest) error {
	err := os.Rename(holder, s.path(dirLayers, diffID.Encoded()))
	if errors.Is(err, fs.ErrExist) || errors.Is(err, errNotEmpty) {
		return nil
	}
	return err
}

// DirIn returns the layer directory in a holder that [Store.AdoptLayerDir] will take.
func DirIn(holder string) string { return filepath.Join(holder, layerRoot) }
