package store

import (
	"context"
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
	"time"

	"github.com/opencontainers/go-digest"

	"xtoo/internal/filelock"
)

// A collection is one [Store.Clean]. It knows the names in a store and the envelope of records, and of what the
// records say nothing else. What has another name than a store's is left alone.
type collection struct {
	s     *Store
	rm    Remover
	keep  Keep
	named map[string]bool // held records that the records which stay name
	logs  map[string]bool
	held  []heldRecord // that may stay, if they are named
	left  []error      // what could not be read or removed
	done  Cleaned
}

// A heldRecord is one whose own references hold.
type heldRecord struct {
	name, path string
	refs       Refs
}

func (c *collection) run(ctx context.Context) error {
	c.leave(c.s.Sweep(ctx, c.rm))
	for _, step := range []func(context.Context) error{
		c.names, c.records, c.heldRecords, c.locks, c.layers, c.logFiles, c.inputs, c.blobs, // records first: none must outlive what it names
	} {
		if err := ctx.Err(); err != nil {
			return err
		}
		c.leave(step(ctx))
	}
	return errors.Join(append(c.left, ctx.Err())...)
}

// leave notes what could not be done. The rest goes on.
func (c *collection) leave(err error) {
	if err != nil {
		c.left = append(c.left, err)
	}
}

// remove removes a file. One that is gone already is none of ours.
func (c *collection) remove(path string) bool {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false
	}
	c.leave(err)
	return err == nil
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
	known := func(e fs.DirEntry) bool {
		return e.Name() == usersFile || e.Name() == dirMachines || slices.Contains(rooms(), e.Name())
	}
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
		_, leftover := recordName(e.Name())
		switch {
		case leftover && isFresh(e):
			// Somebody who only looks may be writing what he learnt.
		case leftover:
			c.remove(path)
		case old || !c.stays(kind, path):
			if c.remove(path) {
				c.done.Records++
			}
		}
		return nil
	})
	if err == nil && old {
		_ = os.Remove(dir) // something else may be in it
	}
	return err
}

// freshAge is how old a temporary file must be to be taken for one that a killed process left.
const freshAge = time.Hour

func isFresh(e fs.DirEntry) bool {
	fi, err := e.Info()
	return err == nil && time.Since(fi.ModTime()) < freshAge
}

// stays says whether a record is not to be removed now, and notes what it keeps. A record that is not known is of a later
// program; a damaged one is nobody's; one that cannot be read may be good.
func (c *collection) stays(kind Kind, path string) bool {
	data, err := os.ReadFile(path)
	if err != nil {
		if !errors.Is(err, fs.ErrNotExist) {
			c.leave(err)
		}
		return true
	}
	var e struct {
		Version int
		Kind    Kind
		Refs    Refs
	}
	err = json.Unmarshal(data, &e)
	damaged := err != nil && !json.Valid(data)
	switch {
	case damaged || err == nil && e.Version == 0:
		return false
	case err != nil || e.Version != envelopeVersion || e.Kind != kind:
		c.done.Unknown = append(c.done.Unknown, path)
		return true
	case !c.holds(e.Refs):
		return false
	case e.Refs.Held:
		name := string(kind) + "/" + strings.TrimSuffix(filepath.Base(path), ".json")
		c.held = append(c.held, heldRecord{name: name, path: path, refs: e.Refs})
		return true
	}
	for _, r := range e.Refs.Records {
		c.named[r] = true
	}
	c.keepLogs(e.Refs)
	return true
}

func (c *collection) keepLogs(r Refs) {
	for _, l := range r.Logs {
		c.logs[l] = true
	}
}

// holds says whether what a record refers to is there. A file outside that cannot be looked at may be there.
func (c *collection) holds(r Refs) bool {
	if !all(r.Layers, c.keep.Layers) || !all(r.Blobs, c.keep.Blobs) || r.Boot != "" && r.Boot != c.s.boot() {
		return false
	}
	if r.File == nil {
		return true
	}
	id, _, err := identify(r.File.Path) // a file or a directory: no two have one inode
	if err != nil {
		return !errors.Is(err, fs.ErrNotExist)
	}
	return id == *r.File
}

// heldRecords removes those that no other record names.
func (c *collection) heldRecords(context.Context) error {
	for _, h := range c.held {
		if c.named[h.name] {
			c.keepLogs(h.refs)
		} else if c.remove(h.path) {
			c.done.Records++
		}
	}
	return nil
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
			if d := hexDigest(e); e.IsDir() && !c.keep.Layers[d] && !c.keep.Dirs[d] {
				gone = append(gone, path)
			}
			return nil
		})
	})
	for _, path := range gone {
		// What is half removed must not be taken for whole: without what stands beside it nobody trusts it.
		if err := errors.Join(ctx.Err(), distrust(path)); err != nil {
			return err
		}
		if err := removeTree(ctx, path, c.rm); err != nil {
			c.leave(fmt.Errorf("remove a layer directory: %w", err))
			continue
		}
		c.done.Layers++
	}
	return err
}

// distrust makes a layer directory one that [Dirs.Has] does not trust.
func distrust(holder string) error {
	for _, name := range []string{madeFile, freshFile} {
		if err := os.Remove(filepath.Join(holder, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
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
		if c.remove(path) {
			c.done.Logs++
		}
		return nil
	})
}

// inputs removes all inputs: they are for builds that run, and none does.
func (c *collection) inputs(context.Context) error {
	return c.files(c.s.path(dirInputs), named(false, hexName()), func(_ fs.DirEntry, path string) error {
		c.remove(path)
		return nil
	})
}

func (c *collection) blobs(ctx context.Context) error {
	return c.files(c.s.path(dirLayout, "blobs", "sha256"), named(false, hexName()), func(e fs.DirEntry, path string) error {
		if c.keep.Blobs[hexDigest(e)] {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		fi, err := e.Info()
		if err == nil && c.remove(path) {
			c.done.Blobs++
			c.done.Bytes += fi.Size()
		}
		return err
	})
}
