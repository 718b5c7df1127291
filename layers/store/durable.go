package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// A layer directory is not synced when it is made: that would cost more than making it. Instead a file beside it says in
// which boot of the machine it was made. In that boot it is what was written; after a power cut it may not be, and is
// made again from its blob, which was synced. Once the kernel has had time to write it out, a sync costs nothing: then
// the file goes, and the directory is good for ever.

// bootFile stands beside a layer directory that may not be on the disk yet.
const bootFile = "boot"

// settleAge is how old an unsynced layer directory must be before it is synced. The kernel writes out by itself
// after about half a minute.
const settleAge = 2 * time.Minute

// BootID names this boot of this machine; empty where the kernel does not say.
func BootID() string {
	data, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// HasLayerDir says whether the layer is unpacked, and is what was unpacked.
func (s *Store) HasLayerDir(diffID digest.Digest) bool {
	dir := s.LayerDir(diffID)
	if fi, err := os.Lstat(dir); err != nil || !fi.IsDir() {
		return false
	}
	boot, err := os.ReadFile(filepath.Join(filepath.Dir(dir), bootFile))
	return errors.Is(err, fs.ErrNotExist) || err == nil && string(boot) == s.boot()
}

// StaleLayerDir returns the directory that stands where the layer's should, if [Store.HasLayerDir] does not trust it.
// It must be removed before another one can be adopted.
func (s *Store) StaleLayerDir(diffID digest.Digest) (string, bool) {
	dir := filepath.Dir(s.LayerDir(diffID))
	_, err := os.Lstat(dir)
	return dir, err == nil && !s.HasLayerDir(diffID)
}

// AdoptLayerDir makes the directory holder, which must hold nothing but `fs`, the directory of a layer.
// If the layer is there already, holder is left where it is: the caller removes it.
func (s *Store) AdoptLayerDir(holder string, diffID digest.Digest) error {
	if err := os.WriteFile(filepath.Join(holder, bootFile), []byte(s.boot()), 0o600); err != nil {
		return err
	}
	err := os.Rename(holder, filepath.Dir(s.LayerDir(diffID)))
	if errors.Is(err, fs.ErrExist) || errors.Is(err, unix.ENOTEMPTY) {
		return nil
	}
	return err
}

// Settle makes the layer directories of this boot durable that are old enough for that to cost nothing.
func (s *Store) Settle() error {
	entries, err := readDir(s.layersDir())
	if err != nil {
		return err
	}
	var old []string
	for _, e := range entries {
		marker := filepath.Join(s.layersDir(), e.Name(), bootFile)
		fi, err := os.Lstat(marker)
		if err != nil || time.Since(fi.ModTime()) < settleAge {
			continue
		}
		if boot, err := os.ReadFile(marker); err == nil && string(boot) == s.boot() {
			old = append(old, marker)
		}
	}
	if len(old) == 0 {
		return nil
	}
	d, err := os.Open(s.layersDir())
	if err != nil {
		return err
	}
	err = errors.Join(unix.Syncfs(int(d.Fd())), d.Close())
	if err != nil {
		return err
	}
	for _, marker := range old {
		if err := os.Remove(marker); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
