package store

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// Keep says what [Store.Clean] must leave: everything that some image in the store refers to.
type Keep struct {
	Blobs  map[digest.Digest]bool
	Layers map[digest.Digest]bool // by diff id
	Dirs   map[digest.Digest]bool // layer directories that are not named by a diff id
}

// Cleaned says what a cleaning removed.
type Cleaned struct {
	Blobs   int `json:"blobs"`
	Layers  int `json:"layers"`
	Records int `json:"records"`
	Logs    int `json:"logs"`
	// Bytes of the removed blobs. What layer directories held is not counted.
	Bytes int64 `json:"bytes"`
	// Unknown are the paths of what has a name that nothing in a store has: it was left alone.
	Unknown []string `json:"unknown,omitempty"`
}

// Clean removes what keep does not name: blobs, layer directories, the records that speak of them, inputs, logs, and
// the rubbish of dead builds. keep is asked for once the store is this process's own. What cannot be read or removed is left
// where it is, and is the error when all the rest is done; an end of ctx is obeyed at once.
func (s *Store) Clean(ctx context.Context, keep func() (Keep, error), rm Remover) (Cleaned, error) {
	release, err := s.Exclusive()
	if err != nil {
		return Cleaned{}, err
	}
	defer release()
	k, err := keep()
	if err != nil {
		return Cleaned{}, err
	}
	c := &collection{s: s, rm: rm, keep: k, named: map[string]bool{}, logs: map[string]bool{}}
	err = c.run(ctx)
	slices.Sort(c.done.Unknown)
	return c.done, err
}

// CleanAll removes everything that the store holds, and the store's directory with it.
func (s *Store) CleanAll(ctx context.Context, rm Remover) error {
	release, err := s.Exclusive()
	if err != nil {
		return err
	}
	defer release()
	defer s.unmade()
	// What is half removed must not be taken for whole.
	holders, err := s.holders()
	if err != nil {
		return err
	}
	for _, h := range holders {
		if err := errors.Join(ctx.Err(), distrust(h)); err != nil {
			return err
		}
	}
	var gone []string
	for _, dir := range s.Roots() {
		for _, name := range rooms() {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				gone = append(gone, filepath.Join(dir, name))
			}
		}
	}
	if err := removeTrees(ctx, gone, rm); err != nil {
		return err
	}
	// The store's own last: as long as its lock is there, nobody makes anything in the scratch.
	for _, dir := range slices.Backward(s.Roots()) {
		if err := os.Remove(filepath.Join(dir, usersFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		// Something that is not the store's own stays, and its directory with it.
		err := os.Remove(dir)
		if holder := filepath.Dir(dir); err == nil && filepath.Base(holder) == dirMachines {
			if err = os.Remove(holder); err == nil {
				err = os.Remove(filepath.Dir(holder))
			}
		}
		if err == nil || errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) || errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EBUSY) {
			continue
		}
		return err
	}
	return nil
}

// rooms are the names that a store has. CleanAll touches no other: XTOO_STORE may be set to the wrong thing.
func rooms() []string {
	return []string{dirLayout, dirLayers, dirCache, dirLogs, dirStages, dirInputs, dirTmp}
}

// LogPath returns where the log of a node is kept. label is for people who look; only its plain characters are used.
func (s *Store) LogPath(key digest.Digest, label string) (string, error) {
	if err := s.make(); err != nil {
		return "", err
	}
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
			return r
		}
		return '-'
	}, label)
	return s.path(dirLogs, fmt.Sprintf("%.12s-%.200s.log", key.Encoded(), plain)), nil
}
