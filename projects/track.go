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

	"github.com/opencontainers/go-digest"

	"xtoo/projects/schema"
)

// maxTrackedBytes bounds what is read of one volume.
const maxTrackedBytes = 64 << 30

// tracked is the component of what a volume with `track` holds at this moment: names, kinds, contents and executable
// bits, targets of links; no owner, time or other mode.
func (v Volume) tracked(ctx context.Context) (Component, error) {
	d, err := digestOfSource(ctx, v.Source)
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

// digestOfSource reads a directory or file of this machine. The source itself may be a symbolic link; others are not followed.
// What is neither file, directory nor link (a socket, say) counts by its name and kind.
func digestOfSource(ctx context.Context, source string) (digest.Digest, error) {
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
		} else if err := e.fill(ctx, root.fsys, p, d, limitedKeeper(&bytes)); err != nil {
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
	ctx  context.Context //nolint:containedctx // a reader's, for as long as it is read
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
