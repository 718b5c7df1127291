package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/internal/atomicfile"
)

// A Kind is a kind of record: its name and the version of its content, as "nodes/4". Whoever writes records declares it,
// and raises the version when the content changes: records of another version are simply not found. The name is of
// lower-case letters, and no two packages use the same.
type Kind string

// The kinds of the store's own records.
const (
	kindLayer Kind = "layers/3" // diff id → the blobs that hold it
	kindFile  Kind = "files/2"  // path of a file outside → its identity and digest
)

// oldKinds are the kinds of earlier programs: nobody reads them any more. The first ones' records had no envelope.
func oldKinds() []Kind {
	return []Kind{
		"nodes/1", "bases/1", "layers/1", "files/1", "last/1", "emulations/1", "nodes/2", "runs/1", "images/1", "last/2", "bases/2",
	}
}

// Refs says what a record refers to. A cleaning follows it without knowing what the record is: the record stays as long
// as all of it is there and is kept for an image, the file unchanged and the machine not started again. What stands in Logs
// stays as long as a record that names it, and so do the records that are Held.
type Refs struct {
	Layers []digest.Digest `json:"layers,omitempty"` // diff ids
	Blobs  []digest.Digest `json:"blobs,omitempty"`
	Logs   []string        `json:"logs,omitempty"` // names of files in logs/
	// Records of which this one is made: see [RecordName]. Held: the record stays only as long as one that stays and is
	// not held itself names it so.
	Records []string `json:"records,omitempty"`
	Held    bool     `json:"held,omitempty"`
	File    *FileID  `json:"file,omitempty"` // a file outside of the store
	Boot    string   `json:"boot,omitempty"` // see [BootID]
}

// envelopeVersion is the version of the envelope.
const envelopeVersion = 1

// An envelope is what every record stands in.
type envelope struct {
	Version int  `json:"version"`
	Kind    Kind `json:"kind"`
	Refs    Refs `json:"refs"`
	Body    any  `json:"body"`
}

var (
	hexName     = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{64}$`) })
	kindName    = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z]+$`) })
	versionName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9]+$`) })
)

// Get reads the record of a key into v, a pointer, and says whether there was one. A record that cannot be read or
// understood counts as none: records can always be made again. What v holds is good for nothing then.
func (s *Store) Get(kind Kind, key digest.Digest, v any) bool {
	path := s.recordPath(kind, key)
	data, err := readSmall(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			s.log.Warn("cannot read a record of the cache", "error", err)
		}
		return false
	}
	e := struct {
		Version int  `json:"version"`
		Kind    Kind `json:"kind"`
		Body    any  `json:"body"`
	}{Body: v}
	if err := json.Unmarshal(data, &e); err != nil || e.Version != envelopeVersion || e.Kind != kind {
		s.log.Warn("a record of the cache is damaged and will be made again", "path", path, "error", err)
		return false
	}
	return e.Body == v // null in its place is no content
}

// readSmall is os.ReadFile for the many small files that a build with nothing to do reads: without what an *os.File
// needs to be waited for.
func readSmall(path string) (data []byte, err error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC|unix.O_NOFOLLOW, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = unix.Close(fd) }() // read only
	data = make([]byte, 0, 2048)
	for {
		n, err := unix.Read(fd, data[len(data):cap(data)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		case n == 0:
			return data, nil
		}
		data = data[:len(data)+n]
		data = slices.Grow(data, 512)
	}
}

// Put writes the record of a key, over an older one. It is whole or not there, but it is not synced:
// a power cut costs the record and nothing else.
func (s *Store) Put(kind Kind, key digest.Digest, refs Refs, v any) error {
	if err := s.make(); err != nil {
		return err
	}
	data, err := json.Marshal(envelope{Version: envelopeVersion, Kind: kind, Refs: refs, Body: v})
	if err != nil {
		return fmt.Errorf("encode a record of kind %s: %w", kind, err)
	}
	path := s.recordPath(kind, key)
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	f, err := atomicfile.Create(path, 0o600)
	if err != nil {
		return err
	}
	defer f.Abort()
	if _, err := f.Write(append(data, '\n')); err != nil {
		return fmt.Errorf("write a record of kind %s: %w", kind, err)
	}
	return f.Place(path)
}

// Delete removes the record of a key, if there is one.
func (s *Store) Delete(kind Kind, key digest.Digest) error {
	err := os.Remove(s.recordPath(kind, key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// recordPath is cache/KIND/VERSION/HEX.json.
func (s *Store) recordPath(kind Kind, key digest.Digest) string {
	return s.dir + "/" + dirCache + "/" + string(kind) + "/" + key.Encoded() + ".json"
}

// RecordName names a record in [Refs].
func RecordName(kind Kind, key digest.Digest) string { return string(kind) + "/" + key.Encoded() }

// recordName says whether a file in a directory of records is named like a record, and whether it is what a killed
// [Store.Put] left.
func recordName(name string) (record, leftover bool) {
	hex, ok := strings.CutSuffix(name, ".json")
	return ok && hexName().MatchString(hex), strings.HasPrefix(name, ".") && strings.HasSuffix(name, ".part")
}
