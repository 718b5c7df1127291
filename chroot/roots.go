package chroot

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
)

// rootsVar names the environment variable that says what the roots of scripts are: "overlay" or "copy". When it is empty they are overlays,
// and copies where no overlay can be mounted.
const rootsVar = "XTOO_ROOTS"

// Roots says what the roots of scripts are.
type Roots string

// The kinds of roots.
const (
	RootsAuto    Roots = ""
	RootsOverlay Roots = "overlay" // or an error
	RootsCopy    Roots = "copy"    // of what an overlay would show; [Node].Upper without Lowers
)

// WantedRoots reads [rootsVar].
func WantedRoots() (Roots, error) {
	switch v := Roots(os.Getenv(rootsVar)); v {
	case RootsAuto, RootsOverlay, RootsCopy:
		return v, nil
	default:
		return v, &host.Error{Err: fmt.Errorf("environment variable %s=%q: must be %q, %q or empty", rootsVar, string(v), RootsOverlay, RootsCopy), Hint: "unset " + rootsVar}
	}
}

// TryOverlay mounts an overlay in dir, an empty directory where layer directories are to be. It returns an [ErrNoOverlay] where that is not possible.
func (h *Host) TryOverlay(ctx context.Context, dir string) error {
	p, err := h.Start(ctx, stage.Command{Stage: stageOverlay, Args: dir})
	if err != nil {
		return err
	}
	return p.Wait(nil)
}

func overlayInside(_ context.Context, s *stage.Stage) error {
	var dir string
	if err := s.Args(&dir); err != nil {
		return err
	}
	return tryOverlay(dir)
}

// rootsFinding words whether layers can be stacked in dir, and what is done where not.
func rootsFinding(dir string) host.Finding {
	const stacked = "layers can be stacked"
	wanted, err := WantedRoots()
	if err != nil {
		return host.Failed("overlayfs", host.StateBad, err)
	}
	if wanted == RootsCopy {
		f := tried("overlayfs", host.StateBad, "", tryCopies(dir))
		if f.State == host.StateOK {
			f.State, f.Detail, f.Hint = host.StateWarn, "not used: each script has a copy of its root", "unset "+rootsVar
		}
		return f
	}
	overlay := tryOverlay(dir)
	if overlay == nil || wanted == RootsOverlay || tryCopies(dir) != nil {
		return tried("overlayfs", host.StateBad, stacked, overlay)
	}
	f := host.Failed("overlayfs", host.StateWarn, overlay)
	f.Detail += ": each script has a copy of its root instead, with the same result (docs/hosts.md says what that costs)"
	return f
}

// tryCopies makes what layer directories need that are copied from.
func tryCopies(dir string) error {
	if err := checkUserXattrs(dir); err != nil {
		return err
	}
	at := filepath.Join(dir, "whiteout")
	if err := unix.Mknod(at, unix.S_IFSOCK, 0); err != nil {
		return &host.Error{Err: &os.PathError{Op: "make a socket", Path: at, Err: err}, Hint: "keep the store on a local file system such as ext4, xfs or btrfs"}
	}
	return nil
}
