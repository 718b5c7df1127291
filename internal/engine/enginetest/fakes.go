// Package enginetest holds what the tests of the engine and of what fills its sockets share: a suite for each socket,
// which every filling runs, and fillings that need neither namespaces nor files. It serves tests alone.
package enginetest

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/opencontainers/go-digest"
	v1 "github.com/opencontainers/image-spec/specs-go/v1"

	"xtoo/internal/engine"
	"xtoo/internal/engine/enginetest/minish"
	"xtoo/internal/testutil"
	"xtoo/layers/store"
	"xtoo/projects"
	"xtoo/qemu"
)

// PutLayer stores a layer of the files, by name, and returns it.
func PutLayer(ctx context.Context, s *store.Store, files map[string]string, r engine.Reading, mtime time.Time) (store.Layer, error) {
	w, err := s.NewLayer(ctx, r.Compression, r.Jobs)
	if err != nil {
		return store.Layer{}, err
	}
	defer w.Abort()
	var members []testutil.Member
	for _, name := range slices.Sorted(maps.Keys(files)) {
		members = append(members, testutil.File(name, files[name]).WithTime(mtime))
	}
	data, err := testutil.MakeTar(members...)
	if err != nil {
		return store.Layer{}, err
	}
	if _, err := w.Write(data); err != nil {
		return store.Layer{}, err
	}
	return w.Commit()
}

// A Source gives bases of one small layer, whatever their files hold.
type Source struct {
	Store *store.Store
	// Arch is what an undeclared base is for.
	Arch qemu.Arch
	// Fails, if not nil, is asked before a base is looked at or read.
	Fails func(b *projects.Base) error

	mu sync.Mutex
	// Looked and ReadBases count the calls.
	Looked, ReadBases int
}

// Created is the creation time of every base.
func (s *Source) Created() time.Time { return time.Unix(1655382896, 0).UTC() }

// Identify implements [engine.Source].
func (s *Source) Identify(_ context.Context, b *projects.Base, _ func()) (digest.Digest, error) {
	return engine.Key("fake", b.Text), nil
}

func (s *Source) called(ctx context.Context, b *projects.Base, n *int) error {
	s.mu.Lock()
	*n++
	s.mu.Unlock()
	if s.Fails != nil {
		if err := s.Fails(b); err != nil {
			return err
		}
	}
	return ctx.Err()
}

// Look implements [engine.Source].
func (s *Source) Look(ctx context.Context, b *projects.Base) (engine.Material, error) {
	return engine.Material{Created: s.Created()}, s.called(ctx, b, &s.Looked)
}

// Read implements [engine.Source].
func (s *Source) Read(ctx context.Context, b *projects.Base, r engine.Reading) (engine.Material, error) {
	if err := s.called(ctx, b, &s.ReadBases); err != nil {
		return engine.Material{}, err
	}
	l, err := PutLayer(ctx, s.Store, map[string]string{"base": b.Text}, r, s.Created())
	if err != nil {
		return engine.Material{}, err
	}
	return engine.Material{Created: s.Created(), Layers: []engine.Link{{DiffID: l.DiffID, Dir: l.DiffID}}}, nil
}

// Found implements [engine.Source].
func (s *Source) Found(b *projects.Base, m engine.Material) (engine.Foundation, error) {
	f := engine.Foundation{Arch: b.Arch, Layers: m.Layers, Created: m.Created, Undated: true}
	if f.Arch.IsZero() {
		f.Arch = s.Arch
	}
	for range m.Layers {
		f.History = append(f.History, v1.History{CreatedBy: "fake"})
	}
	return f, nil
}

// A Runner interprets scripts of package minish in memory: a job sees the files of its layers, and its layer holds what it wrote.
type Runner struct {
	Store *store.Store
	// Before, if not nil, is called with each job before it is executed; its error is the job's.
	Before func(ctx context.Context, j engine.Job) error
	// NotReady, if not nil, is what Ready says.
	NotReady error
	// HasIDs is how many ids scripts have. They make no difference to them.
	HasIDs int64
	// Inexact is in what layers are said not to be root's.
	Inexact []string

	mu   sync.Mutex
	jobs []engine.Job
}

// Jobs are those that were executed.
func (r *Runner) Jobs() []engine.Job {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.jobs)
}

// Ready implements [engine.Runner].
func (r *Runner) Ready(context.Context, qemu.Arch) error { return r.NotReady }

// IDs implements [engine.Runner].
func (r *Runner) IDs() int64 { return r.HasIDs }

// MaxLayers implements engine.Runner.
func (r *Runner) MaxLayers() int { return 150 }

// Remove implements [engine.Runner].
func (r *Runner) Remove(_ context.Context, paths ...string) error {
	var all []error
	for _, p := range paths {
		all = append(all, os.RemoveAll(p))
	}
	return errors.Join(all...)
}

// Run implements [engine.Runner].
func (r *Runner) Run(ctx context.Context, j engine.Job, at engine.Site) (engine.Outcome, error) {
	r.mu.Lock()
	r.jobs = append(r.jobs, j)
	r.mu.Unlock()
	if r.Before != nil {
		if err := r.Before(ctx, j); err != nil {
			return engine.Outcome{}, err
		}
	}
	limited, cancel := ctx, context.CancelFunc(func() {})
	if j.Limits.Timeout > 0 {
		limited, cancel = context.WithTimeout(ctx, j.Limits.Timeout)
	}
	defer cancel()
	w := &world{ctx: limited, job: j, out: at.Output, files: map[string]string{}, wrote: map[string]string{}}
	if err := errors.Join(w.readLayers(r.Store), w.readFiles(r.Store, at), w.findUser()); err != nil {
		return engine.Outcome{}, err
	}
	code := minish.Run(w.files["run/"+j.Script.Path], w)
	if limited.Err() != nil && ctx.Err() == nil {
		return engine.Outcome{Late: true, IDs: r.HasIDs}, nil
	}
	if err := errors.Join(ctx.Err(), w.err); err != nil || code != 0 || len(w.wrote) == 0 || j.Discard {
		return engine.Outcome{Exit: code, IDs: r.HasIDs}, err
	}
	l, err := PutLayer(ctx, r.Store, w.wrote, engine.Reading{Compression: j.Compression, Jobs: j.Jobs}, j.Epoch)
	return engine.Outcome{DiffID: l.DiffID, IDs: r.HasIDs, Inexact: r.Inexact, Entries: int64(len(w.wrote)), Bytes: l.Size}, err
}

// world is what a script sees of a job.
type world struct {
	ctx   context.Context // lives as long as the job
	job   engine.Job
	out   io.Writer
	files map[string]string
	wrote map[string]string
	user  string // its number
	err   error  // of the output
}

// findUser finds the user of the job, and where that is at home.
func (w *world) findUser() error {
	name, _, _ := strings.Cut(w.job.User, ":")
	if w.user = "0"; name == "" {
		return nil
	}
	for line := range strings.Lines(w.files["etc/passwd"]) {
		if f := strings.Split(line, ":"); len(f) > 5 && (f[0] == name || f[2] == name) {
			w.user = f[2]
			w.job.Env = append(slices.Clone(w.job.Env), "HOME="+f[5])
			return nil
		}
	}
	if _, err := strconv.Atoi(name); err != nil {
		return fmt.Errorf("user %q of the image is not there", name)
	}
	w.user = name
	return nil
}

func (w *world) readLayers(s *store.Store) error {
	for _, l := range w.job.Layers {
		r, err := s.OpenLayer(l.DiffID)
		if err != nil {
			return err
		}
		tr := tar.NewReader(r)
		for {
			hdr, err := tr.Next()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				return errors.Join(err, r.Close())
			}
			data, err := io.ReadAll(tr)
			if err != nil {
				return errors.Join(err, r.Close())
			}
			w.files[hdr.Name] = string(data)
		}
		if err := r.Close(); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) readFiles(s *store.Store, at engine.Site) error {
	for _, f := range append([]engine.File{w.job.Script}, w.job.Files...) {
		switch {
		case f.Mode.IsRegular():
			r, err := s.OpenInput(f.Digest)
			if err != nil {
				return err
			}
			data, err := io.ReadAll(r)
			if err = errors.Join(err, r.Close()); err != nil {
				return err
			}
			w.files["run/"+f.Path] = string(data)
		case f.Mode&fs.ModeSymlink != 0:
			w.files["run/"+f.Path] = w.files[path.Join("run", path.Dir(f.Path), f.Target)]
		}
	}
	for _, one := range w.job.Secrets {
		text, err := at.Secret(one.Ref)
		if err != nil {
			return err
		}
		w.files["run/"+one.Path] = string(text)
	}
	return nil
}

func (w *world) Print(text string) {
	if _, err := io.WriteString(w.out, text); err != nil && w.err == nil {
		w.err = err
	}
}

func (w *world) Read(name string) (string, error) {
	text, ok := w.files[strings.TrimPrefix(name, "/")]
	if !ok {
		return "", fmt.Errorf("%s: %w", name, fs.ErrNotExist)
	}
	return text, nil
}

func (w *world) Write(name, text string) error {
	name = strings.TrimPrefix(name, "/")
	w.files[name], w.wrote[name] = text, text
	return nil
}

func (w *world) Remove(name string) error {
	delete(w.files, strings.TrimPrefix(name, "/"))
	delete(w.wrote, strings.TrimPrefix(name, "/"))
	return nil
}

func (w *world) Env(name string) string {
	for _, e := range w.job.Env {
		if value, ok := strings.CutPrefix(e, name+"="); ok {
			return value
		}
	}
	return ""
}

func (w *world) User() string { return w.user }

func (w *world) Dir() string { return path.Join("/", w.job.Dir) }

func (w *world) Sleep(d time.Duration) error {
	select {
	case <-w.ctx.Done():
		return w.ctx.Err()
	case <-time.After(d):
		return nil
	}
}

// An Output keeps the images that it is to write.
type Output struct {
	// Refuse, if not nil, is what Check says; Fail what Write says.
	Refuse, Fail error
	// Images of the last Write.
	Images []engine.Image
}

// Check implements [engine.Output].
func (o *Output) Check([]*projects.PlannedProject) error { return o.Refuse }

// Write implements [engine.Output].
func (o *Output) Write(ctx context.Context, images []engine.Image, done func(engine.Written)) error {
	if err := errors.Join(ctx.Err(), o.Fail); err != nil {
		return err
	}
	changed := len(o.Images) != len(images)
	for i := range images {
		changed = changed || o.Images[i].Manifest.Digest != images[i].Manifest.Digest
	}
	o.Images = images
	done(engine.Written{Path: "fake", Changed: changed})
	return nil
}
