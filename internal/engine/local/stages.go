package local

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"time"

	"xtoo/chroot/host"
	"xtoo/chroot/stage"
	"xtoo/layers/tree"
)

// The stages: what runs in a user namespace besides the nodes themselves.
const (
	stageUnpack   = "unpack"
	stagePrepare  = "prepare"
	stageCapture  = "capture"
	stageCopy     = "copy"
	stageTakeBack = "take back"
	stageRemove   = "remove"
	stageCompare  = "compare"
)

// RegisterStages makes the stages known. main and TestMain call it before [chroot.Main].
func RegisterStages() {
	stage.Register(stageUnpack, runUnpack)
	stage.Register(stagePrepare, runPrepare)
	stage.Register(stageCapture, runCapture, tree.ErrLinked)
	stage.Register(stageCopy, runCopy)
	stage.Register(stageTakeBack, runTakeBack)
	stage.Register(stageRemove, runRemove)
	stage.Register(stageCompare, runCompare)
}

// unpackArgs: the tar stream comes on file 0.
type unpackArgs struct {
	Dir    string   `json:"dir"`
	Lowers []string `json:"lowers,omitempty"`
	Whole  bool     `json:"whole"`  // lowers are all there is below
	Copied bool     `json:"copied"` // see tree.UnpackOptions
}

func runUnpack(ctx context.Context, s *stage.Stage) error {
	var a unpackArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	res, err := tree.Unpack(ctx, s.File(0), a.Dir, tree.UnpackOptions{Lowers: a.Lowers, Whole: a.Whole, Copied: a.Copied})
	if errors.Is(err, tree.ErrNoUserXattrs) {
		return &host.Error{Err: err, Hint: "set XTOO_SCRATCH to a directory on ext4, xfs, btrfs or (Linux 6.6 or newer) tmpfs"}
	}
	if err != nil {
		return err
	}
	return s.Result(res)
}

type prepareArgs struct {
	Upper  string   `json:"upper"`
	Lowers []string `json:"lowers"`
}

func runPrepare(_ context.Context, s *stage.Stage) error {
	var a prepareArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	return tree.PrepareUpper(a.Upper, a.Lowers)
}

// captureArgs: the tar stream goes to file 0.
type captureArgs struct {
	Upper  string    `json:"upper"`
	Work   string    `json:"work"`
	Copy   string    `json:"copy"` // of the root, where the change is; "": it is in Upper
	Lowers []string  `json:"lowers"`
	Epoch  time.Time `json:"epoch"`
	// Ran is when the script ran.
	Ran []tree.Span `json:"ran"`
}

func runCapture(ctx context.Context, s *stage.Stage) error {
	var a captureArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	// The overlay's work directory goes first: with it gone, the upper directory is all that is left.
	if err := tree.RemoveAll(ctx, a.Work); err != nil {
		return err
	}
	var skipped []tree.Note
	if a.Copy != "" {
		var err error
		if skipped, err = tree.TakeChanges(ctx, a.Copy, a.Upper, a.Lowers); err != nil {
			return err
		}
	}
	out := s.File(0)
	res, err := tree.Capture(ctx, out, a.Upper, a.Lowers, tree.CaptureOptions{Epoch: a.Epoch, Ran: a.Ran, Copied: a.Copy != ""})
	if err != nil {
		return err
	}
	res.Skipped = append(skipped, res.Skipped...)
	if err := out.Close(); err != nil {
		return err
	}
	return s.Result(res)
}

type removeArgs struct {
	Paths []string `json:"paths"`
}

func runRemove(ctx context.Context, s *stage.Stage) error {
	var a removeArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	var all []error
	for _, p := range a.Paths {
		if err := tree.RemoveAll(ctx, p); err != nil && !errors.Is(err, os.ErrNotExist) {
			all = append(all, err)
		}
	}
	return errors.Join(all...)
}

type compareArgs struct {
	A string `json:"a"`
	B string `json:"b"`
}

func runCompare(ctx context.Context, s *stage.Stage) error {
	var a compareArgs
	if err := s.Args(&a); err != nil {
		return err
	}
	what, err := tree.Compare(ctx, a.A, a.B)
	if err != nil {
		return err
	}
	return s.Result(what)
}

// Remove implements [engine.Runner]: a stage removes what belongs to other ids of the user's range.
func (r *Runner) Remove(ctx context.Context, paths ...string) error {
	if len(paths) == 0 {
		return nil
	}
	h, err := r.host()
	if err != nil {
		return err
	}
	p, err := h.Start(ctx, stage.Command{Stage: stageRemove, Args: removeArgs{Paths: paths}})
	if err != nil {
		return err
	}
	err = p.Wait(nil)
	if errors.Is(err, fs.ErrPermission) {
		return &notOursError{err}
	}
	return err
}

// A notOursError is one of removing files that no id of this user's reaches.
type notOursError struct{ error }

func (e *notOursError) Unwrap() error { return e.error }

// Hint says what to do.
func (*notOursError) Hint() string {
	return "it may belong to ids that this user had before: give them back (/etc/subuid, /etc/subgid, without XTOO_TIER), or remove it as root"
}

// discard removes work in progress, with the user's own rights where they suffice. What cannot be removed now goes with
// the workspace.
func (r *Runner) discard(ctx context.Context, paths ...string) {
	// Cleaning up goes on after the build was told to stop, but not for ever.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), removeTimeout)
	defer cancel()
	var left []string
	for _, p := range paths {
		if os.RemoveAll(p) != nil {
			left = append(left, p)
		}
	}
	if err := r.Remove(ctx, left...); err != nil {
		r.o.Log.Debug("cannot remove work in progress now", "paths", left, "error", err)
	}
}

// removeTimeout bounds the removal of a tree: half a million files take some seconds.
const removeTimeout = 10 * time.Minute
