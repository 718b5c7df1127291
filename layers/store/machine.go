package store

import (
	"crypto/sha256"
	"encoding/hex"
	"os"
	"path/filepath"
	"strings"
)

// Machines that share a directory cannot see each other's processes and mounts, and their locks may not reach each other:
// nobody can tell there what is in use. So each has a directory of its own for what it mounts and for its work in progress.

// dirMachines holds the directories of machines, where there may be several.
const dirMachines = "machines"

// ofMachine is the directory in which this machine works: dir itself, if no other works in it.
func ofMachine(dir string, shared func(string) bool) string {
	if shared == nil || !shared(dir) {
		return dir
	}
	return filepath.Join(dir, dirMachines, machineName())
}

// machineName tells this machine from others, by its name and the number that it was given when it was installed. Machines
// that were copied from one image may have the same number, and containers none.
func machineName() string {
	host, err := os.Hostname()
	if err != nil {
		host = ""
	}
	id, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		id = nil
	}
	sum := sha256.Sum256([]byte(host + "\n" + strings.TrimSpace(string(id))))
	return hex.EncodeToString(sum[:6])
}

// OtherMachines lists what other machines have in the store's directories: none of it is removed here.
func (s *Store) OtherMachines() ([]string, error) {
	var all []string
	for _, dir := range []string{s.own, s.scratch} {
		holder := filepath.Dir(dir)
		if filepath.Base(holder) != dirMachines {
			continue
		}
		entries, err := readDir(holder)
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			if path := filepath.Join(holder, e.Name()); path != s.own && path != s.scratch {
				all = append(all, path)
			}
		}
		if s.own == s.scratch {
			break
		}
	}
	return all, nil
}
