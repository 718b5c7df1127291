package store

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// A layer directory is not synced when it is made: that would cost more than making it. Instead a file beside it says in
// which boot of the machine it was made. In that boot it is what was written; after a power cut it may not be, and is
// made again from its blob, which was synced. Once the kernel has had time to write it out, a sync costs nothing: then
// the file gets another name, and the directory is good for ever.

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

// Settle makes the layer directories of this boot durable that are old enough for that to cost nothing.
func (s *Store) Settle() error {
	holders, err := s.holders()
	if err != nil {
		return err
	}
	var old []string
	for _, holder := range holders {
		fi, err := os.Lstat(filepath.Join(holder, freshFile))
		if err != nil || time.Since(fi.ModTime()) < settleAge {
			continue
		}
		if _, err := s.readMade(holder); err == nil {
			old = append(old, holder)
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
	for _, holder := range old {
		err := os.Rename(filepath.Join(holder, freshFile), filepath.Join(holder, madeFile))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
