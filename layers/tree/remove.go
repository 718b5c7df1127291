package tree

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"

	"xtoo/layers"
	"xtoo/layers/inode"
)

// maxRemoveDepth is how deep [RemoveAll] goes with a descriptor a level. What lies deeper is moved up first.
const maxRemoveDepth = 200

// RemoveAll removes a file or a tree, whatever its modes, without following a symbolic link and without
// touching what is mounted in it: a mount point in the tree is an error. A path that does not exist is none.
// For trees whose files belong to several ids it runs as root of the user namespace that they were made in.
// After an error the rest of the tree is still there, and can be removed by another call.
func RemoveAll(ctx context.Context, path string) error {
	dir, err := inode.OpenRoot(filepath.Dir(path))
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	defer inode.CloseFD(dir)
	name := filepath.Base(path)
	if !layers.PlainName(name) {
		return fmt.Errorf("remove %s: %w", path, unix.EINVAL)
	}
	if err := removeAt(ctx, dir, name); err != nil {
		return fmt.Errorf("remove %s: %w", path, err)
	}
	return nil
}

// removeAt removes name in dir with everything below it. It is no error that it does not exist.
func removeAt(ctx context.Context, dir int, name string) error {
	r := remover{ctx: ctx, top: -1}
	return r.remove(dir, name, 0)
}

type remover struct {
	ctx   context.Context // lives as long as one call
	top   int             // the directory of the tree that deep directories are moved to
	moved int
}

func (r *remover) remove(dir int, name string, depth int) error {
	if err := r.ctx.Err(); err != nil {
		return err
	}
	err := unlink(dir, name, 0)
	if err == nil || errors.Is(err, unix.ENOENT) {
		return nil
	}
	// EPERM is what POSIX wants for a directory. EBUSY: a mount point.
	if !errors.Is(err, unix.EISDIR) && !errors.Is(err, unix.EPERM) {
		return fmt.Errorf("%s: %w", name, err)
	}
	if depth > maxRemoveDepth {
		return r.moveUp(dir, name)
	}
	fd, derr := inode.OpenDir(dir, name)
	if errors.Is(derr, unix.EACCES) {
		// Somebody who is not root: the mode stands in the way, and is ours to change.
		if derr = unix.Fchmodat(dir, name, 0o700, 0); derr == nil {
			fd, derr = inode.OpenDir(dir, name)
		}
	}
	switch {
	case errors.Is(derr, unix.EXDEV):
		return fmt.Errorf("%s: something is mounted there: %w", name, unix.EBUSY)
	case errors.Is(derr, unix.ENOTDIR) || errors.Is(derr, unix.ELOOP):
		return fmt.Errorf("%s: %w", name, err)
	case derr != nil:
		return fmt.Errorf("%s: %w", name, derr)
	}
	if depth == 0 {
		r.top = fd
	}
	err = r.empty(dir, fd, name, depth)
	inode.CloseFD(fd)
	return err
}

// empty removes what is in the open directory fd, and then the directory.
func (r *remover) empty(dir, fd int, name string, depth int) error {
	for {
		names, err := inode.ReadNames(fd)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		for _, child := range names {
			if err := r.remove(fd, child, depth+1); err != nil {
				if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
					return err
				}
				return fmt.Errorf("%s/%w", name, err)
			}
		}
		err = unlink(dir, name, unix.AT_REMOVEDIR)
		// Not empty: something deep was moved here meanwhile, or somebody else is at work.
		if errors.Is(err, unix.ENOTEMPTY) && len(names) > 0 {
			continue
		}
		if err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	}
}

// moveUp moves a deep directory to the top of the tree, so that the tree's depth costs no descriptors.
func (r *remover) moveUp(dir int, name string) error {
	for {
		r.moved++
		to := ".xtoo-removed-" + strconv.Itoa(r.moved)
		err := unix.Renameat2(dir, name, r.top, to, unix.RENAME_NOREPLACE)
		if errors.Is(err, unix.EEXIST) {
			continue
		}
		if err != nil {
			return fmt.Errorf("%s: move it up: %w", name, err)
		}
		return nil
	}
}

// unlink removes one name, changing the mode of its directory where that stands in the way.
func unlink(dir int, name string, flags int) error {
	err := unix.Unlinkat(dir, name, flags)
	if errors.Is(err, unix.EACCES) && unix.Fchmod(dir, 0o700) == nil {
		err = unix.Unlinkat(dir, name, flags)
	}
	return err
}
