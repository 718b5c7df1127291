package library

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"xtoo/internal/nearest"
	"xtoo/projects/schema"
)

// Place is where steps and types are looked for.
type Place struct {
	FS fs.FS
	// Name is what positions begin with: a directory, or what ends in a colon.
	Name string
}

// shown is a name of the place for messages.
func (p Place) shown(name string) string {
	if strings.HasSuffix(p.Name, ":") {
		return p.Name + name
	}
	return filepath.Join(p.Name, filepath.FromSlash(name))
}

// Library is all places, the first that counts first. It reads a file when it is asked for, once. It is not for several
// goroutines.
type Library struct {
	places []Place
	steps  map[string]found // by name
	names  []string         // of all steps, sorted; nil: not looked for yet
}

// found is a step, or what is wrong with it.
type found struct {
	step  *Step
	wrong []schema.Problem
}

// or reports what is wrong with the step, if anything is.
func (f found) or(probs *schema.Problems) *Step {
	for _, p := range f.wrong {
		probs.Add(p)
	}
	return f.step
}

// Open makes a library of places and of what ships. Nothing is read yet.
func Open(places ...Place) *Library {
	return &Library{
		places: append(slices.Clone(places), Place{FS: shipped, Name: shippedName}),
		steps:  map[string]found{},
	}
}

// Step finds a step by its name, else by an alias. What is wrong with its files goes to probs, and so does an unknown name, with
// pos; the step is then nil.
func (l *Library) Step(name string, pos schema.Position, probs *schema.Problems) *Step {
	if nameRule().MatchString(name) {
		if f, ok := l.load(name); ok {
			return f.or(probs)
		}
	}
	names := l.StepNames()
	known := slices.Clone(names)
	for _, other := range names {
		f, _ := l.load(other)
		if f.step == nil {
			continue // what is wrong with others is not asked for here
		}
		if slices.Contains(f.step.aliases, name) {
			return f.step
		}
		known = append(known, f.step.aliases...)
	}
	p := schema.Problem{Pos: pos, Msg: fmt.Sprintf("there is no step %q%s", schema.Shorten(name), nearest.DidYouMean(name, known))}
	if !strings.HasSuffix(p.Msg, "?") {
		p.Hint = "`xtoo steps` lists all; one of your own is a directory steps/NAME in the work directory"
	}
	probs.Add(p)
	return nil
}

// Check finds the step that brings a check of that name. An unknown name goes to probs, with pos; the step is then nil.
func (l *Library) Check(name string, pos schema.Position, probs *schema.Problems) *Step {
	var known []string
	for _, of := range l.StepNames() {
		f, _ := l.load(of)
		switch s := f.step; {
		case s == nil || s.Check == nil:
		case s.Check.name == name:
			return s
		default:
			known = append(known, s.Check.name)
		}
	}
	p := schema.Problem{Pos: pos, Msg: fmt.Sprintf("there is no check %q%s", schema.Shorten(name), nearest.DidYouMean(name, known))}
	if !strings.HasSuffix(p.Msg, "?") {
		p.Hint = "known checks are " + strings.Join(known, ", ")
	}
	probs.Add(p)
	return nil
}

// Steps returns all steps, by name. What is wrong with those that are not among them goes to probs.
func (l *Library) Steps(probs *schema.Problems) []*Step {
	var out []*Step
	for _, name := range l.StepNames() {
		f, _ := l.load(name)
		if s := f.or(probs); s != nil {
			out = append(out, s)
		}
	}
	return out
}

// StepNames returns the names of all steps, aliases not among them, sorted.
func (l *Library) StepNames() []string {
	if l.names == nil {
		l.names = l.list("steps", func(p Place, e fs.DirEntry) (string, bool) {
			_, err := fs.Stat(p.FS, path.Join("steps", e.Name(), stepFile))
			return e.Name(), err == nil
		})
	}
	return l.names
}

// list is what there is in a directory of any place, sorted, each once. name says what an entry is called.
func (l *Library) list(dir string, name func(Place, fs.DirEntry) (string, bool)) []string {
	all := []string{}
	for _, p := range l.places {
		entries, err := fs.ReadDir(p.FS, dir)
		if err != nil {
			continue // most places have none
		}
		for _, e := range entries {
			if n, ok := name(p, e); ok && nameRule().MatchString(n) {
				all = append(all, n)
			}
		}
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// load reads a step where it is found first. ok is false if there is none.
func (l *Library) load(name string) (f found, ok bool) {
	if f, ok := l.steps[name]; ok {
		return f, true
	}
	for _, p := range l.places {
		file := path.Join("steps", name, stepFile)
		data, err := readRegular(p.FS, file, schema.MaxSize)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var probs schema.Problems
		if err != nil {
			probs.Add(schema.Problem{Pos: schema.Position{File: p.shown(file)}, Msg: "cannot read the step: " + reason(err), Err: err})
		} else {
			r := stepReader{place: p, name: name, probs: &probs}
			f.step = r.read(data)
		}
		f.wrong = probs.Sorted()
		l.steps[name] = f
		return f, true
	}
	return found{}, false
}

// readRegular reads a regular file. Others are refused before they are opened: opening a fifo would hang.
func readRegular(fsys fs.FS, name string, limit int64) ([]byte, error) {
	info, err := fs.Stat(fsys, name)
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a directory")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is not a regular file")
	}
	f, err := fsys.Open(name)
	if err != nil {
		return nil, err
	}
	defer f.Close() // read only: nothing can be lost
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		return nil, fmt.Errorf("it is larger than %d bytes", limit)
	}
	return data, err
}

// reason is what the system said, without operation and path.
func reason(err error) string {
	var pe *fs.PathError
	if errors.As(err, &pe) {
		return pe.Err.Error()
	}
	return err.Error()
}
