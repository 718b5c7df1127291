package local

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	specs "github.com/opencontainers/runtime-spec/specs-go"

	"xtoo/chroot"
	"xtoo/chroot/stage"
	"xtoo/internal/engine"
	"xtoo/layers/store"
	"xtoo/layers/tree"
	"xtoo/projects"
)

// An execution is one job on its way.
type execution struct {
	r         *Runner
	host      *chroot.Host
	dirs      layerDirs
	job       engine.Job
	site      engine.Site
	emulation chroot.Emulation
	lowers    []string      // top first
	ran       []tree.Span   // when the script ran
	records   store.Records // of the layers below
	// holder is the directory that becomes a layer's.
	holder string
	copy   string // of the root; "": it is an overlay
	apart  bool   // the names of one file are files of their own in the copy: see tree.ErrLinked

	session *Session // in place of the job's script; nil: that is executed
}

func (x *execution) upper() string { return store.DirIn(x.holder) }
func (x *execution) work() string  { return x.holder + ".work" }

// Run implements [engine.Runner].
func (r *Runner) Run(ctx context.Context, j engine.Job, at engine.Site) (engine.Outcome, error) {
	return r.execute(ctx, execution{r: r, job: j, site: at})
}

// execute executes what x says.
func (r *Runner) execute(ctx context.Context, x execution) (engine.Outcome, error) {
	var err error
	if x.host, err = r.host(); err != nil {
		return engine.Outcome{}, err
	}
	out, err := runOn(ctx, x, r.roots.copied.Load())
	if r.roots.fallBack(err, r.o.Events) {
		out, err = runOn(ctx, x, true)
	}
	return out, err
}

// runOn executes a job in an overlay, or in a copy of its root.
func runOn(ctx context.Context, x execution, copied bool) (engine.Outcome, error) {
	r := x.r
	x.dirs = r.dirsOf(x.host, copied)
	var err error
	if x.lowers, x.records, err = r.lowerDirs(ctx, x.dirs, x.job.Layers); err != nil {
		return engine.Outcome{}, err
	}
	if x.emulation, err = r.emulation(ctx, x.job.Arch); err != nil {
		return engine.Outcome{}, err
	}
	x.records.Steady = x.records.Steady && !x.becomesAnother()
	if x.session != nil {
		x.records.Recorded, x.records.Steady = true, false // it cannot be begun anew
	}
	out, err := x.runAgain(ctx)
	if !errors.Is(err, chroot.ErrNoEmulation) {
		return out, err
	}
	// What was remembered of the architecture has turned out to be wrong: find out, and execute it once more.
	again, ferr := r.forgetEmulation(x.emulation)
	if !again || ferr != nil {
		return out, errors.Join(err, ferr)
	}
	if x.emulation, err = r.emulation(ctx, x.job.Arch); err != nil {
		return out, err
	}
	return x.runAgain(ctx)
}

// runAgain is run, begun anew with records read back to the script, or with the names of one file apart, if it turns out to need that.
func (x *execution) runAgain(ctx context.Context) (engine.Outcome, error) {
	for {
		out, err := x.run(ctx)
		var text string
		switch {
		case errors.Is(err, errUnread) && !x.records.Recorded:
			x.records.Recorded, text = true, fmt.Sprintf("this script %v: it is begun anew, with these shown to it", errUnread)
		case errors.Is(err, errUnsteady) && x.records.Steady:
			x.records.Steady, text = false, fmt.Sprintf("this script %v: it is begun anew, with more of its calls looked at", errUnsteady)
		case errors.Is(err, tree.ErrLinked) && !x.apart:
			x.apart, text = true, fmt.Sprintf("this script %v: it is begun anew, with each name a file of its own, as changing one makes it in an overlay", tree.ErrLinked)
		default:
			return out, err
		}
		if _, err := fmt.Fprintf(x.site.Output, "xtoo: %s\n", text); err != nil {
			return out, err
		}
	}
}

// run executes the script and commits what it changed.
func (x *execution) run(ctx context.Context) (out engine.Outcome, err error) {
	if x.holder, err = x.r.o.Store.MakeTemp("node"); err != nil {
		return out, err
	}
	defer func() { x.r.discard(ctx, x.work(), x.holder) }()
	for _, d := range []string{x.upper(), x.work()} {
		if err := os.Mkdir(d, 0o755); err != nil {
			return out, err
		}
	}
	if x.dirs.copied {
		if err := x.takeRoot(ctx); err != nil {
			return out, err
		}
		defer func() { x.leaveRoot(ctx, out, err) }()
	}
	begun := time.Now()
	exit, err := x.script(ctx)
	ended := time.Now()
	x.ran = spans(begun, ended, ended.Sub(begun)) // by the clock that nobody sets
	if errors.Is(err, errLate) {
		return engine.Outcome{Late: true, Notes: exit.Notes}, nil
	}
	if err != nil {
		return out, err
	}
	if exit.Unread {
		return out, errUnread
	}
	if exit.Unsteady {
		return out, errUnsteady
	}
	if exit.Code != 0 {
		return engine.Outcome{Exit: exit.Code, Signal: int(exit.Signal), Said: exit.Signal.String(), Notes: exit.Notes}, nil
	}
	if x.job.Discard {
		return engine.Outcome{Notes: exit.Notes, IDs: x.ids(exit)}, nil
	}
	if out, err = x.commit(ctx); err != nil {
		return out, fmt.Errorf("commit its layer: %w", err)
	}
	out.Notes, out.Inexact, out.IDs = exit.Notes, exit.Inexact, x.ids(exit)
	return out, nil
}

// ids is how many the script had, or as if.
func (x *execution) ids(exit chroot.Exit) int64 {
	if exit.Exact {
		return engine.AllIDs
	}
	return idsOf(x.host)
}

// tick is more than the clocks of file systems are behind.
const tick = time.Second

// spans are the times of files that were written between two instants of the clock. It may have been set meanwhile: what
// was written before that is of the first span, and what was written after it of the second.
func spans(begun, ended time.Time, took time.Duration) []tree.Span {
	return []tree.Span{
		{From: begun.Add(-tick), To: begun.Add(took + tick)}, {From: ended.Add(-took - tick), To: ended.Add(tick)},
	}
}

// script executes the script.
func (x *execution) script(ctx context.Context) (chroot.Exit, error) {
	node := chroot.Node{
		Spec: x.spec(), Emulation: x.emulation, Dirs: x.r.o.Store.Roots(), Lowers: x.lowers, Upper: x.upper(), Work: x.work(), User: x.job.User, Log: x.r.o.Log,
		Network: chroot.NetworkHost, Output: x.site.Output, OwnResolver: x.job.Resolver == projects.ResolverImage, ClearFresh: x.job.ClearFresh,
		ReadBack: x.records.Recorded, Steady: x.records.Steady, Lists: x.records.Lists, Tmpfs: chroot.Tmpfs(x.job.Limits.Tmpfs), Memory: x.job.Limits.Memory, Pids: x.job.Limits.Pids,
	}
	if x.job.Network == projects.NetworkNone {
		node.Network = chroot.NetworkNone
	}
	var err error
	if x.session != nil {
		x.session.join(&node)
	} else if node.Files, err = x.files(); err != nil {
		return chroot.Exit{}, err
	}
	if x.copy != "" {
		node.Lowers, node.Upper, node.Work = nil, tree.CopiedRoot(x.copy), ""
	} else if err := x.prepare(ctx); err != nil {
		return chroot.Exit{}, err
	}
	if t := x.job.Limits.Timeout; t > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, t, errLate)
		defer cancel()
	}
	return x.host.Run(ctx, node)
}

// errUnread says that a script has made what it could not read back.
var errUnread = errors.New("makes device nodes, or gives files to ids that this user does not have")

// errUnsteady says that a script has become another user, or had a directory pass on what only a record tells.
var errUnsteady = errors.New("becomes another user than 0, or has a directory pass on a group or a list that this user's kernel does not know")

// errLate ends a script that takes longer than its timeout.
var errLate = errors.New("the script takes too long")

// prepare gives the upper directory the root's own mode, owner and times, before anything is mounted on it.
func (x *execution) prepare(ctx context.Context) error {
	if done, err := tree.PrepareOwnUpper(x.upper(), x.lowers); done || err != nil {
		return err
	}
	p, err := x.host.Start(ctx, stage.Command{
		Stage: stagePrepare, Args: prepareArgs{Upper: x.upper(), Lowers: x.lowers}, Log: x.r.o.Log,
	})
	if err != nil {
		return err
	}
	return p.Wait(nil)
}

// spec describes the process in the words of runtime-spec.
func (x *execution) spec() *specs.Spec {
	s := &specs.Spec{
		Version:  specs.Version,
		Hostname: "xtoo",
		Process: &specs.Process{
			Args: append(append([]string{}, x.job.Interpreter...), "/run/"+x.job.Script.Path),
			Env:  emulatedEnvironment(append([]string{}, x.job.Env...), x.emulation),
			Cwd:  cmp.Or(x.job.Dir, "/"),
		},
	}
	for _, v := range x.job.Volumes {
		mode := "rw"
		if v.ReadOnly {
			mode = "ro"
		}
		s.Mounts = append(s.Mounts, specs.Mount{
			Destination: v.Target, Source: v.Source, Type: "bind", Options: []string{"rbind", mode},
		})
	}
	return s
}

// files are what the script finds below /run. The content of each has been verified.
func (x *execution) files() (map[string]chroot.RunFile, error) {
	files := map[string]chroot.RunFile{}
	for _, f := range append([]engine.File{x.job.Script}, x.job.Files...) {
		switch {
		case f.Mode.IsRegular():
			if err := x.verify(f); err != nil {
				return nil, fmt.Errorf("file /run/%s: %w", f.Path, err)
			}
			files[f.Path] = chroot.RunFile{HostPath: x.r.o.Store.InputPath(f.Digest), Mode: f.Mode}
		case f.Mode&fs.ModeSymlink != 0:
			files[f.Path] = chroot.RunFile{Content: []byte(f.Target), Mode: f.Mode}
		default:
			files[f.Path] = chroot.RunFile{Mode: f.Mode}
		}
	}
	for _, s := range x.job.Secrets {
		content, err := x.site.Secret(s.Ref)
		if err != nil {
			return nil, err
		}
		mode := fs.FileMode(0o400)
		if x.job.User != "" {
			mode = 0o444 // it may be another than the owner
		}
		files[s.Path] = chroot.RunFile{Content: content, Mode: mode}
	}
	return files, nil
}

// verify reads a file of the store once.
func (x *execution) verify(f engine.File) error {
	in, err := x.r.o.Store.OpenInput(f.Digest)
	if err != nil {
		return err
	}
	defer in.Close() // read only
	_, err = io.Copy(io.Discard, in)
	return err
}
