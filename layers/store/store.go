package store

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

	"golang.org/x/sys/unix"

	"xtoo/internal/filelock"
)

// A Store is an open store. It is safe for concurrent use, by any number of processes.
// Whoever has written to it ends it with Close.
type Store struct {
	dir string
	// own holds the work in progress on all that goes into dir: dir itself, or what this machine has in it.
	own string
	// scratch holds layers/ and the work in progress on them: own, or another directory, for a disk that overlayfs
	// can be used on.
	scratch string
	log     *slog.Logger

	boot func() string // BootID, read once

	made sync.Mutex // held while the rooms are made
	have bool

	mu   sync.Mutex
	work map[string]*workspace // by dir and scratch; filled when something is written
}

// The rooms of the store.
const (
	dirLayout = "oci"
	dirLayers = "layers"
	dirCache  = "cache"
	dirLocks  = "cache/locks"
	dirLogs   = "logs"
	dirStages = "stages"
	dirInputs = "inputs"
	dirTmp    = "tmp"
)

// layerRoot is the directory below layers/IDS/HEX that is the layer itself. It is not that itself: renaming
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

// OpenOptions say how to open a store. The zero value works.
type OpenOptions struct {
	// Scratch is a directory for layers/ and the work in progress on them, for stores on a file system that overlayfs
	// cannot be used on (a network's). It may be another one on every machine, and may be empty the next time.
	// Default: the store's own.
	Scratch string
	// Shared says whether other machines may work in a directory, which need not be there yet, at the same time. What this
	// one makes there for itself then stands in machines/NAME, and it never touches what others have. Default: none is.
	Shared func(dir string) bool
	// Log takes what is for developers; nil discards it.
	Log *slog.Logger
}

// Open opens the store in dir. Nothing is made of it before something is written. A store that is not the user's own is
// refused with an [OwnerError].
func Open(dir string, o OpenOptions) (*Store, error) {
	s := &Store{log: o.Log, work: map[string]*workspace{}, boot: sync.OnceValue(BootID)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	var err error
	if s.dir, err = filepath.Abs(dir); err != nil {
		return nil, err
	}
	s.own = ofMachine(s.dir, o.Shared)
	s.scratch = s.own
	if o.Scratch != "" {
		scratch, err := filepath.Abs(o.Scratch)
		if err != nil {
			return nil, err
		}
		s.scratch = ofMachine(scratch, o.Shared)
	}
	if err := s.checkOwner(); err != nil {
		return nil, err
	}
	return s, nil
}

// make makes what is missing of the store, once.
func (s *Store) make() error {
	s.made.Lock()
	defer s.made.Unlock()
	if s.have {
		return nil
	}
	err := makeRooms(s.dir, dirLocks, dirLayout+"/blobs/sha256", dirLogs, dirStages, dirInputs)
	if err == nil {
		err = makeRooms(s.own, dirTmp)
	}
	if err == nil {
		err = makeRooms(s.scratch, dirLayers, dirTmp)
	}
	if err == nil {
		err = s.checkOwner() // somebody may have been faster
	}
	s.have = err == nil
	return err
}

// unmade says that what was made may be gone.
func (s *Store) unmade() {
	s.made.Lock()
	defer s.made.Unlock()
	s.have = false
}

// A makeError says why the store's directories cannot be made.
type makeError struct{ error }

func (e *makeError) Unwrap() error { return e.error }

// Hint says what to do.
func (e *makeError) Hint() string {
	if errors.Is(e.error, fs.ErrPermission) || errors.Is(e.error, unix.EROFS) {
		return "use a store in a directory that this user can write to: --store DIR, XTOO_STORE=DIR"
	}
	return ""
}

// makeRooms makes what is missing of a store's directories.
func makeRooms(dir string, rooms ...string) error {
	for _, r := range append([]string{"."}, rooms...) {
		// 0700: a stage3 holds set-uid programs, and who can reach them can run them.
		if err := os.MkdirAll(filepath.Join(dir, r), 0o700); err != nil {
			return &makeError{fmt.Errorf("make the store: %w", err)}
		}
	}
	return nil
}

// Dir returns the store's absolute path.
func (s *Store) Dir() string { return s.dir }

// LayoutDir returns the directory of the store's OCI image layout.
func (s *Store) LayoutDir() string { return s.path(dirLayout) }

func (s *Store) layersDir() string { return filepath.Join(s.scratch, dirLayers) }

func (s *Store) path(elem ...string) string {
	return filepath.Join(append([]string{s.dir}, elem...)...)
}

// Lock waits until the caller alone holds the lock of that name (any string), or ctx ends.
// waiting, if not nil, is called once when somebody else holds it. The caller calls unlock.
func (s *Store) Lock(ctx context.Context, name string, waiting func()) (unlock func() error, err error) {
	sum := sha256.Sum256([]byte(name))
	if err := s.make(); err != nil {
		return nil, err
	}
	l, err := filelock.Wait(ctx, s.path(dirLocks, hex.EncodeToString(sum[:16])), waiting)
	if err != nil {
		return nil, fmt.Errorf("lock %s: %w", name, err)
	}
	return l.Unlock, nil
}

// DirIn returns the layer directory in a holder that [Dirs.Adopt] will take.
func DirIn(holder string) string { return filepath.Join(holder, layerRoot) }
