package rootfs

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"

	"xtoo/internal/filelock"
	"xtoo/layers/merge"
	"xtoo/layers/tree"
)

// ErrNotEmpty says that there is something in the way: it is never replaced.
var ErrNotEmpty = errors.New("it exists and is not an empty directory")

// Options of [Write]. The zero value works.
type Options struct {
	// Log hears of what foreign images make necessary; nil discards.
	Log *slog.Logger
	// Warn is told what of the image is not in the directory; nil: nobody is told.
	Warn func(text string)
}

// Write unpacks what is visible in layers, given topmost first, as the directory dir, which must not exist or be empty, in a directory that
// exists. It returns how many bytes the regular files have. After an error dir is as it was.
func Write(ctx context.Context, dir string, layers []merge.Layer, o Options) (size int64, err error) {
	if err := Vacant(dir); err != nil {
		return 0, err
	}
	if err := removeDead(ctx, dir); err != nil {
		return 0, err
	}
	temp, err := os.MkdirTemp(filepath.Dir(dir), prefix(dir)+"*"+suffix)
	if err != nil {
		return 0, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, tree.RemoveAll(context.WithoutCancel(ctx), temp))
		}
	}()
	held, err := os.Open(temp)
	if err != nil {
		return 0, err
	}
	defer held.Close() // and with it the lock
	if err := filelock.Hold(held); err != nil {
		return 0, err
	}
	s, err := fill(ctx, temp, layers, o)
	if err != nil {
		return 0, err
	}
	// One call for all files: what has the name has its content after a power cut.
	if err := unix.Syncfs(int(held.Fd())); err != nil {
		return 0, fmt.Errorf("sync %s: %w", temp, err)
	}
	if err := unix.Rename(temp, dir); err != nil { // unlike os.Rename in the place of an empty directory, too
		return 0, &os.LinkError{Op: "rename", Old: temp, New: dir, Err: err}
	}
	s.warn(o.Warn)
	return s.size, nil
}

// Vacant says with [ErrNotEmpty] whether something is in the way of a directory.
func Vacant(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if len(entries) > 0 || errors.Is(err, unix.ENOTDIR) {
		return fmt.Errorf("%s: %w", dir, ErrNotEmpty)
	}
	return err
}

// fill unpacks the layers into an empty directory.
func fill(ctx context.Context, dir string, layers []merge.Layer, o Options) (*sink, error) {
	var s *sink
	defer func() {
		if s != nil {
			s.close()
		}
	}()
	view, err := merge.Layers(ctx, layers, func() (merge.Sink, error) {
		if s != nil { // the merge starts anew
			s.close()
			s = nil
			if err := empty(ctx, dir); err != nil {
				return nil, err
			}
		}
		var err error
		s, err = newSink(dir)
		return s, err
	}, merge.Options{Log: o.Log})
	if err != nil {
		return nil, err
	}
	return s, s.finish(view.Implied())
}

// empty removes what is in a directory.
func empty(ctx context.Context, dir string) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		if err == nil {
			err = tree.RemoveAll(ctx, filepath.Join(dir, e.Name()))
		}
	}
	return err
}

// suffix ends the names of directories on their way, of which prefix is the beginning.
const suffix = ".part"

func prefix(dir string) string {
	base := filepath.Base(dir)
	return "." + base[:min(len(base), 180)] + "."
}

// removeDead removes what killed processes left of a directory.
func removeDead(ctx context.Context, dir string) error {
	parent := filepath.Dir(dir)
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, e := range entries {
		random, begins := strings.CutPrefix(e.Name(), prefix(dir))
		random, ends := strings.CutSuffix(random, suffix)
		if !begins || !ends || !e.IsDir() || strings.Trim(random, "0123456789") != "" {
			continue
		}
		if err := removeUnheld(ctx, filepath.Join(parent, e.Name())); err != nil {
			return fmt.Errorf("remove what a killed build left: %w", err)
		}
	}
	return nil
}

// removeUnheld removes a directory unless a process fills it.
func removeUnheld(ctx context.Context, dir string) error {
	f, err := os.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer f.Close() // and with it the lock
	if err := filelock.Hold(f); err != nil {
		if errors.Is(err, filelock.ErrLocked) {
			return nil
		}
		return err
	}
	return tree.RemoveAll(ctx, dir)
}
