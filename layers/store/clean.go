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

	"github.com/containers/storage/pkg/lockfile"
	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"
)

// Keep says what [Store.Clean] must leave: everything that some image in the store refers to.
type Keep struct {
	Blobs  map[digest.Digest]bool
	Layers map[digest.Digest]bool // by diff id
}

// Cleaned says what a cleaning removed.
type Cleaned struct {
	Blobs   int `json:"blobs"`
	Layers  int `json:"layers"`
	Records int `json:"records"`
	Logs    int `json:"logs"`
	// Bytes of the removed blobs. What layer directories held is not counted.
	Bytes int64 `json:"bytes"`
}

// ErrInUse says that another process works with the store.
var ErrInUse = errors.New("a build is running on this store: wait until it has ended")

// usersFile is locked, shared, by every build, and exclusively by a cleaning.
const usersFile = "lock"

// Use tells cleanings to stay away. The caller calls release. It waits for a running cleaning until ctx ends.
func (s *Store) Use(ctx context.Context) (release func(), err error) {
	path := s.path(usersFile)
	for {
		l, err := lockfile.GetLockFile(path)
		if err != nil {
			return nil, fmt.Errorf("lock the store: %w", err)
		}
		before, berr := os.Stat(path)
		if l.TryRLock() == nil {
			// CleanAll removes the file. If it did so just before the lock was ours, nobody will ever find the
			// lock: start over.
			after, aerr := os.Stat(path)
			if berr == nil && aerr == nil && os.SameFile(before, after) {
				return l.Unlock, nil
			}
			l.Unlock()
		}
		if err := sleep(ctx, lockPoll); err != nil {
			return nil, err
		}
	}
}

// exclusive takes the store for this process alone, or returns ErrInUse.
func (s *Store) exclusive() (release func(), err error) {
	l, err := lockfile.GetLockFile(s.path(usersFile))
	if err != nil {
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	if err := l.TryLock(); err != nil {
		// Within a process the library answers with the words of EAGAIN only.
		if errors.Is(err, unix.EAGAIN) || errors.Is(err, unix.EACCES) || err.Error() == unix.EAGAIN.Error() {
			return nil, ErrInUse
		}
		return nil, fmt.Errorf("lock the store: %w", err)
	}
	return l.Unlock, nil
}

// Clean removes what keep does not name: blobs, layer directories, the records that speak of them, logs, and
// the rubbish of dead builds. keep is asked for once the store is this process's own.
func (s *Store) Clean(ctx context.Context, keep func() (Keep, error), rm Remover) (Cleaned, error) {
	var done Cleaned
	release, err := s.exclusive()
	if err != nil {
		return done, err
	}
	defer release()
	k, err := keep()
	if err != nil {
		return done, err
	}
	return done, s.clean(ctx, k, rm, &done)
}

func (s *Store) clean(ctx context.Context, k Keep, rm Remover, done *Cleaned) error {
	if err := s.Sweep(ctx, rm); err != nil {
		return err
	}
	if err := s.cleanRecords(k, done); err != nil {
		return err
	}
	if err := s.cleanLayers(ctx, k, rm, done); err != nil {
		return err
	}
	if err := s.cleanLogs(done); err != nil {
		return err
	}
	return s.cleanBlobs(ctx, k, done)
}

// LogPath returns where the log of a node is kept. label is for people who look; only its plain characters are used.
func (s *Store) LogPath(key digest.Digest, label string) string {
	plain := strings.Map(func(r rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-", r) {
			return r
		}
		return '-'
	}, label)
	return s.path(dirLogs, fmt.Sprintf("%.12s-%.200s.log", key.Encoded(), plain))
}

// cleanLogs removes the logs of nodes that no record speaks of any more.
func (s *Store) cleanLogs(done *Cleaned) error {
	keys, err := s.Keys(KindNode)
	if err != nil {
		return err
	}
	wanted := map[string]bool{}
	for _, k := range keys {
		wanted[k.Encoded()[:12]] = true
	}
	entries, err := os.ReadDir(s.path(dirLogs))
	if err != nil {
		return err
	}
	for _, e := range entries {
		if key, _, ok := strings.Cut(e.Name(), "-"); ok && wanted[key] {
			continue
		}
		if err := os.Remove(s.path(dirLogs, e.Name())); err != nil {
			return err
		}
		done.Logs++
	}
	return nil
}

// cleanRecords goes first: a record must never outlive what it names.
func (s *Store) cleanRecords(k Keep, done *Cleaned) error {
	stale := map[string]func(key digest.Digest) bool{
		KindEmulation: func(digest.Digest) bool { return true }, // found out again in no time
		KindLayer:     func(key digest.Digest) bool { return !k.Layers[key] },
		KindNode: func(key digest.Digest) bool {
			var r struct {
				DiffID digest.Digest `json:"diff_id"`
			}
			return !s.Get(KindNode, key, &r) || (r.DiffID != "" && !k.Layers[r.DiffID])
		},
		KindBase: func(key digest.Digest) bool {
			var r struct {
				DiffIDs []digest.Digest `json:"diff_ids"`
			}
			return !s.Get(KindBase, key, &r) || slices.ContainsFunc(r.DiffIDs, func(d digest.Digest) bool { return !k.Layers[d] })
		},
		KindFile: func(key digest.Digest) bool {
			var r FileRecord
			if !s.Get(KindFile, key, &r) {
				return true
			}
			id, err := IdentifyFile(r.ID.Path)
			return err != nil || id != r.ID
		},
	}
	for kind, isStale := range stale {
		keys, err := s.Keys(kind)
		if err != nil {
			return err
		}
		for _, key := range keys {
			if !isStale(key) {
				continue
			}
			if err := s.Delete(kind, key); err != nil {
				return err
			}
			done.Records++
		}
	}
	return nil
}

func (s *Store) cleanLayers(ctx context.Context, k Keep, rm Remover, done *Cleaned) error {
	entries, err := os.ReadDir(s.layersDir())
	if err != nil {
		return err
	}
	var gone []string
	for _, e := range entries {
		if hexName.MatchString(e.Name()) && k.Layers[digest.NewDigestFromEncoded(digest.SHA256, e.Name())] {
			continue
		}
		gone = append(gone, filepath.Join(s.layersDir(), e.Name()))
	}
	if len(gone) == 0 {
		return nil
	}
	if err := removeTrees(ctx, gone, rm); err != nil {
		return err
	}
	done.Layers += len(gone)
	return nil
}

func (s *Store) cleanBlobs(ctx context.Context, k Keep, done *Cleaned) error {
	dir := s.path(dirLayout, "blobs", "sha256")
	entries, err := os.ReadDir(dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return err
		}
		if hexName.MatchString(e.Name()) && k.Blobs[digest.NewDigestFromEncoded(digest.SHA256, e.Name())] {
			continue
		}
		fi, err := e.Info()
		if err != nil {
			return err
		}
		if err := os.Remove(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
		done.Blobs++
		done.Bytes += fi.Size()
	}
	return nil
}

// CleanAll removes everything that the store holds, and the store's directory with it.
func (s *Store) CleanAll(ctx context.Context, rm Remover) error {
	release, err := s.exclusive()
	if err != nil {
		return err
	}
	defer release()
	var gone []string
	for _, dir := range s.dirs() {
		for name := range known {
			if _, err := os.Lstat(filepath.Join(dir, name)); err == nil {
				gone = append(gone, filepath.Join(dir, name))
			}
		}
	}
	err = removeTrees(ctx, gone, rm)
	if rerr := os.Remove(s.path(usersFile)); err == nil && !errors.Is(rerr, fs.ErrNotExist) {
		err = rerr
	}
	if err != nil {
		return err
	}
	for _, dir := range s.dirs() {
		// Something that is not the store's own stays, and its directory with it.
		if err := os.Remove(dir); err != nil && !errors.Is(err, unix.ENOTEMPTY) && !errors.Is(err, fs.ErrPermission) && !errors.Is(err, unix.EBUSY) {
			return err
		}
	}
	return nil
}

// known are the names that a store has. CleanAll touches no other: XTOO_STORE may be set to the wrong thing.
var known = map[string]bool{
	dirLayout: true, dirLayers: true, dirCache: true, dirLogs: true, dirStages: true, dirTmp: true,
}
