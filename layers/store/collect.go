package store

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"sync"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/filelock"
)

// A collection is one [Store.Clean]. It knows the names in a store and the envelope of records, and of what the
// records say nothing else. What has another name than a store's is left alone.
type collection struct {
	s    *Store
	rm   Remover
	keep Keep
	dirs map[digest.Digest]bool // layer directories that the records which stay name
	logs map[string]bool
	done Cleaned
}

func (c *collection) run(ctx context.Context) error {
	if err := c.s.Sweep(ctx, c.rm); err != nil {
		return err
	}
	for _, step := range []func(context.Context) error{
		c.names, c.records, c.locks, c.layers, c.logFiles, c.inputs, c.blobs, // records first: none must outlive what it names
	} {
		if err := errors.Join(ctx.Err(), step(ctx)); err != nil {
			return err
		}
	}
	return nil
}

// files calls each for what stands in a directory under a name that a store has there, and notes the rest.
func (c *collection) files(dir string, has func(fs.DirEntry) bool, each func(e fs.DirEntry, path string) error) error {
	entries, err := readDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(dir, e.Name())
		if !has(e) {
			c.done.Unknown = append(c.done.Unknown, path)
			continue
		}
		if err := each(e, path); err != nil {
			return err
		}
	}
	return nil
}

// named matches the names of files or directories.
func named(isDir bool, name *regexp.Regexp) func(fs.DirEntry) bool {
	return func(e fs.DirEntry) bool { return e.IsDir() == isDir && name.MatchString(e.Name()) }
}

// nothing is what is done with what stays.
func nothing(fs.DirEntry, string) error { return nil }

// names notes what stands beside the rooms, and in tmp/ beside what processes have there.
func (c *collection) names(context.Context) error {
	known := func(e fs.DirEntry) bool { return e.Name() == usersFile || slices.Contains(rooms(), e.Name()) }
	work := func(e fs.DirEntry) bool { return workName().MatchString(e.Name()) }
	for _, dir := range c.s.Roots() {
		if err := errors.Join(c.files(dir, known, nothing), c.files(filepath.Join(dir, dirTmp), work, nothing)); err != nil {
			return err
		}
	}
	return nil
}

// records goes through cache/KIND/VERSION.
func (c *collection) records(context.Context) error {
	kinds := func(e fs.DirEntry) bool {
		return e.IsDir() && kindName().MatchString(e.Name()) || !e.IsDir() && e.Name() == secretKeyFile
	}
	return c.files(c.s.path(dirCache), kinds, func(e fs.DirEntry, dir string) error {
		if !e.IsDir() || dir == c.s.path(dirLocks) {
			return nil
		}
		kind := e.Name()
		return c.files(dir, named(true, versionName()), func(e fs.DirEntry, dir string) error {
			return c.recordsOf(Kind(kind+"/"+e.Name()), dir)
		})
	})
}

func (c *collection) recordsOf(kind Kind, dir string) error {
	old := slices.Contains(oldKinds(), kind)
	has := func(e fs.DirEntry) bool {
		record, leftover := recordName(e.Name())
		return !e.IsDir() && (record || leftover)
	}
	err := c.files(dir, has, func(e fs.DirEntry, path string) error {
		record, _ := recordName(e.Name())
		if record && !old {
			stays, known := c.stays(kind, path)
			if !known {
				c.done.Unknown = append(c.done.Unknown, path)
			}
			if stays || !known {
				return nil
			}
		}
		if record {
			c.done.Records++
		}
		return os.Remove(path)
	})
	if err == nil && old {
		_ = os.Remove(dir) // something else may be in it
	}
	return err
}

// stays says whether a record's references hold, and notes what it keeps. A record that is not known is of a later
// program; a damaged one is nobody's.
func (c *collection) stays(kind Kind, path string) (stays, known bool) {
	data, err := os.ReadFile(path)
	if err != nil {
		return false, true
	}
	var e struct {
		Version int
		Kind    Kind
		Refs    Refs
	}
	if err := json.Unmarshal(data, &e); err != nil || e.Version == 0 {
		return false, !json.Valid(data) || e.Version != 0
	}
	if e.Version != envelopeVersion || e.Kind != kind {
		return false, false
	}
	r := e.Refs
	if !all(r.Layers, c.keep.Layers) || !all(r.Blobs, c.keep.Blobs) || r.Boot != "" && r.Boot != c.s.boot() {
		return false, true
	}
	if r.File != nil {
		if id, err := IdentifyFile(r.File.Path); err != nil || id != *r.File {
			return false, true
		}
	}
	for _, d := range r.Dirs {
		c.dirs[d] = true
	}
	for _, l := range r.Logs {
		c.logs[l] = true
	}
	return true, true
}

func all(wanted []digest.Digest, have map[digest.Digest]bool) bool {
	return !slices.ContainsFunc(wanted, func(d digest.Digest) bool { return !have[d] })
}

var lockName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{32}$`) })

// locks removes the lock files that killed builds left.
func (c *collection) locks(context.Context) error {
	return c.files(c.s.path(dirLocks), named(false, lockName()), func(_ fs.DirEntry, path string) error {
		l, err := filelock.Try(path)
		if errors.Is(err, filelock.ErrLocked) {
			return nil
		}
		if err != nil {
			return err
		}
		return l.Unlock()
	})
}

var groupName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{12}$`) })

// layers goes through layers/IDS. Directories right below layers/ are of earlier programs, which knew no maps.
func (c *collection) layers(ctx context.Context) error {
	var gone []string
	either := func(e fs.DirEntry) bool {
		return e.IsDir() && (groupName().MatchString(e.Name()) || hexName().MatchString(e.Name()))
	}
	err := c.files(c.s.layersDir(), either, func(e fs.DirEntry, dir string) error {
		if hexName().MatchString(e.Name()) {
			gone = append(gone, dir)
			return nil
		}
		in := func(e fs.DirEntry) bool {
			return e.IsDir() && hexName().MatchString(e.Name()) || !e.IsDir() && e.Name() == idsFile
		}
		return c.files(dir, in, func(e fs.DirEntry, path string) error {
			if d := hexDigest(e); e.IsDir() && !c.keep.Layers[d] && !c.dirs[d] {
				gone = append(gone, path)
			}
			return nil
		})
	})
	if err != nil || len(gone) == 0 {
		return err
	}
	if err := removeTrees(ctx, gone, c.rm); err != nil {
		return err
	}
	c.done.Layers += len(gone)
	return nil
}

// hexDigest is the digest that a file is named by.
func hexDigest(e fs.DirEntry) digest.Digest {
	return digest.NewDigestFromEncoded(digest.SHA256, e.Name())
}

var logName = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[0-9a-f]{12}-.*\.log$`) })

// logFiles removes the logs that no record speaks of.
func (c *collection) logFiles(context.Context) error {
	return c.files(c.s.path(dirLogs), named(false, logName()), func(e fs.DirEntry, path string) error {
		if c.logs[e.Name()] {
			return nil
		}
		c.done.Logs++
		return os.Remove(path)
	})
}

// inputs removes all inputs: they are for builds that run, and none does.
func (c *collection) inputs(context.Context) error {
	return c.files(c.s.path(dirInputs), named(false, hexName()), func(_ fs.DirEntry, path string) error { return os.Remove(path) })
}

func (c *collection) blobs(ctx context.Context) error {
	return c.files(c.s.path(dirLayout, "blobs", "sha256"), named(false, hexName()), func(e fs.DirEntry, path string) error {
		if c.keep.Blobs[hexDigest(e)] {
			return nil
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		if err := errors.Join(ctx.Err(), os.Remove(path)); err != nil {
			return err
		}
		c.done.Blobs++
		c.done.Bytes += fi.Size()
		return nil
	})
}
