package projects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	"golang.org/x/sys/unix"

	"xtoo/projects/schema"
)

// maxTrackedBytes bounds what is read of one volume.
const maxTrackedBytes = 64 << 30

// tracked is the component of what a volume with `track` holds at this moment: names, kinds, contents and executable
// bits, targets of links; no owner, time or other mode.
func (v Volume) tracked(ctx context.Context) (Component, error) {
	d, err := v.track.digest(ctx, v.Source)
	if err != nil {
		if ctx.Err() != nil {
			return Component{}, fmt.Errorf("%s: %w", v.pos, err)
		}
		return Component{}, &schema.Errors{List: []schema.Problem{{
			Pos: v.pos, Msg: fmt.Sprintf("volume at %s, which is tracked: %v", v.Target, err), Err: err,
			Hint: "leave \"track\" out, or name a directory that can be read as a whole",
		}}}
	}
	return Component{Name: "volume " + v.Target + " (what it holds)", Digest: d}, nil
}

// tracker remembers what the files of a volume hold, so that a build with many nodes reads them once: for as long as all
// of what the system says of a file stays the same.
type tracker struct {
	sync.Mutex
	known map[string]trackedFile // by path
}

type trackedFile struct {
	stamp  unix.Stat_t
	mode   fs.FileMode
	size   int64
	digest digest.Digest
}

// settled is how long ago a file must have changed to be remembered: what changes it again within one tick of the file
// system's clock leaves it with the same times.
const settled = 2 * time.Second

// digest reads a directory or file of this machine. The source itself may be a symbolic link; others are not followed.
// What is neither file, directory nor link (a socket, say) counts by its name and kind.
func (t *tracker) digest(ctx context.Context, source string) (digest.Digest, error) {
	t.Lock()
	defer t.Unlock()
	root := &origin{fsys: disk(filepath.Dir(source)), dir: filepath.Dir(source), disk: true}
	base := filepath.Base(source)
	if source == "/" {
		base = "."
	}
	var entries []FileEntry
	var bytes int64
	err := fs.WalkDir(root.fsys, base, func(p string, d fs.DirEntry, err error) error {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return root.failed(p, err)
		}
		if len(entries) >= maxFileEntries {
			return fmt.Errorf("more than %d files", maxFileEntries)
		}
		e := FileEntry{Path: path.Clean("/" + strings.TrimPrefix(p, base))}
		if kind := d.Type(); kind&^(fs.ModeDir|fs.ModeSymlink) != 0 {
			e.Mode = kind
		} else if err := t.fill(ctx, &e, root, p, d, &bytes); err != nil {
			return root.failed(p, err)
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return "", err
	}
	return digestOfEntries(entries), nil
}

// fill is [FileEntry.fill] with what is remembered. sum is the size of all files so far.
func (t *tracker) fill(ctx context.Context, e *FileEntry, root *origin, name string, d fs.DirEntry, sum *int64) error {
	if !d.Type().IsRegular() {
		return e.fill(ctx, root.fsys, name, d, nil)
	}
	path := root.place(name)
	var stamp unix.Stat_t
	if err := unix.Lstat(path, &stamp); err != nil {
		return err
	}
	stamp.Atim = unix.Timespec{} // reading changes it
	if known, ok := t.known[path]; ok && known.stamp == stamp {
		e.Mode, e.Size, e.Digest = known.mode, known.size, known.digest
		if *sum += e.Size; *sum > maxTrackedBytes {
			return errTracked
		}
		return nil
	}
	begun := time.Now()
	if err := e.fill(ctx, root.fsys, name, d, limitedKeeper(sum)); err != nil {
		return err
	}
	if begun.Sub(time.Unix(stamp.Ctim.Unix())) > settled {
		if t.known == nil {
			t.known = map[string]trackedFile{}
		}
		t.known[path] = trackedFile{stamp, e.Mode, e.Size, e.Digest}
	}
	return nil
}

// limitedKeeper hashes, and fails where the sum of all sizes grows too large.
func limitedKeeper(sum *int64) Keeper {
	return func(ctx context.Context, open func() (io.ReadCloser, error)) (digest.Digest, int64, error) {
		d, n, err := hash(func() (io.ReadCloser, error) {
			r, err := open()
			if err != nil {
				return nil, err
			}
			return &stopped{r, ctx, maxTrackedBytes - *sum}, nil
		})
		*sum += n
		return d, n, err
	}
}

// stopped is a reader that ends with its context, or fails when it has given more than so many bytes.
type stopped struct {
	io.ReadCloser
	ctx  context.Context
	left int64
}

var errTracked = errors.New("more than 64 GiB")

func (s *stopped) Read(p []byte) (int, error) {
	if err := s.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := s.ReadCloser.Read(p)
	if s.left -= int64(n); s.left < 0 {
		return n, errTracked
	}
	return n, err
}
