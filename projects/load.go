package projects

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"

	"xtoo/projects/schema"
)

// ErrNoProjects says that the work directory holds no project. The error of [Load] wraps it.
var ErrNoProjects = errors.New("no projects")

// Load reads the work directory: finds its projects, reads their configurations and the scripts they name,
// and checks every rule that holds without values. Directories whose names begin with a dot are passed
// over, and symbolic links to directories are not followed.
//
// The error is an [*schema.Errors] with all problems of all files, or what the system said about the work
// directory itself. Nothing on disk is changed.
func Load(workdir string) (*Tree, error) {
	l := loader{given: filepath.Clean(workdir), probs: &schema.Problems{}, warn: &schema.Problems{}, byTag: map[string]*Project{}, document: configDocument()}
	abs, err := filepath.Abs(workdir)
	if err == nil {
		abs, err = filepath.EvalSymlinks(abs)
	}
	if err != nil {
		return nil, fmt.Errorf("open work directory: %w", err)
	}
	info, err := os.Stat(abs)
	if err != nil {
		return nil, fmt.Errorf("open work directory: %w", err)
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("open work directory: %s is not a directory", workdir)
	}
	l.dir = abs
	l.walk("")
	for _, tag := range l.found {
		l.project(tag)
	}
	if len(l.found) == 0 && l.probs.Len() == 0 {
		l.probs.Add(schema.Problem{Pos: schema.Position{File: l.given}, Msg: "there is no project in this directory", Err: ErrNoProjects,
			Hint: "a project is a directory with a file " + ConfigName})
	}
	t := l.tree()
	l.check(t)
	if err := l.probs.Err(); err != nil {
		return nil, err
	}
	t.Warnings = l.warn.Sorted()
	return t, nil
}

// loader is the state of one Load.
type loader struct {
	dir   string   // absolute
	given string   // as given
	found []string // tags, parents first
	byTag map[string]*Project
	probs *schema.Problems
	warn  *schema.Problems

	document *schema.Document
}

// path is the path of something in the work directory as it can be opened from the current directory.
func (l *loader) path(rel string) string { return filepath.Join(l.given, filepath.FromSlash(rel)) }

// walk finds projects below the directory with this path relative to the work directory.
func (l *loader) walk(rel string) {
	entries, err := os.ReadDir(filepath.Join(l.dir, filepath.FromSlash(rel)))
	if err != nil {
		l.warn.Add(schema.Problem{Pos: schema.Position{File: l.path(rel)}, Msg: "cannot be searched for projects: " + reason(err), Err: err})
		return
	}
	for _, e := range entries {
		if e.Name() == ConfigName {
			l.foundConfig(rel)
		}
	}
	for _, e := range entries {
		name := e.Name()
		child := path.Join(rel, name)
		switch {
		case strings.HasPrefix(name, "."):
		case e.IsDir():
			l.walk(child)
		case e.Type()&fs.ModeSymlink != 0:
			// Following it could leave the work directory, run in circles, or give one project two tags.
			if _, err := os.Lstat(filepath.Join(l.dir, filepath.FromSlash(child), ConfigName)); err == nil {
				l.warn.Hintf(schema.Position{File: l.path(child)}, "make it a directory of its own",
					"a symbolic link to a project is not followed")
			}
		}
	}
}

func (l *loader) foundConfig(rel string) {
	pos := schema.Position{File: l.path(path.Join(rel, ConfigName))}
	if rel == "" {
		l.probs.Hintf(pos, "move it into a directory of its own in the work directory, or name the parent directory with -C",
			"the work directory itself cannot be a project: it would have no name")
		return
	}
	for _, part := range strings.Split(rel, "/") {
		if bad := nameProblem(part); bad != "" {
			l.probs.Hintf(pos, bad, "the directory name %q cannot be part of an image's name", part)
			return
		}
	}
	if len(rel) > maxTag {
		l.probs.Addf(pos, "the path of the project has %d characters: more than the %d that an image's name may have", len(rel), maxTag)
		return
	}
	l.found = append(l.found, rel)
}

// project reads one configuration.
func (l *loader) project(tag string) {
	p := &Project{
		Name: path.Base(tag), Tag: tag, Dir: filepath.Join(l.dir, filepath.FromSlash(tag)),
		Config: l.path(path.Join(tag, ConfigName)),
	}
	p.Pos = schema.Position{File: p.Config, Line: 1, Column: 1}
	l.byTag[tag] = p
	data, err := readRegular(filepath.Join(p.Dir, ConfigName), MaxConfigSize)
	if err != nil {
		p.broken = true
		l.probs.Add(schema.Problem{Pos: schema.Position{File: p.Config}, Msg: "cannot read the configuration: " + reason(err), Err: err})
		return
	}
	p.Source = data
	d := decoder{loader: l, project: p}
	d.decode(data)
}

// tree links the projects.
func (l *loader) tree() *Tree {
	t := &Tree{Dir: l.dir, given: l.given}
	for _, tag := range l.found {
		p := l.byTag[tag]
		for up := path.Dir(tag); up != "."; up = path.Dir(up) {
			if parent := l.byTag[up]; parent != nil {
				p.Parent = parent
				parent.Children = append(parent.Children, p)
				break
			}
		}
		t.Projects = append(t.Projects, p)
	}
	for _, p := range t.Projects {
		sort.Slice(p.Children, func(i, j int) bool { return lessTag(p.Children[i].Tag, p.Children[j].Tag) })
	}
	// "a/b" must come after "a", but "a-b" sorts between them as text: compare part by part.
	sort.SliceStable(t.Projects, func(i, j int) bool { return lessTag(t.Projects[i].Tag, t.Projects[j].Tag) })
	return t
}

func lessTag(a, b string) bool {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			return x[i] < y[i]
		}
	}
	return len(x) < len(y)
}

// tooLargeError carries the limit that was exceeded.
type tooLargeError int64

func (e tooLargeError) Error() string { return fmt.Sprintf("it is larger than %d bytes", int64(e)) }

// readRegular reads a regular file. Others are refused before they are opened: opening a fifo would hang.
func readRegular(name string, limit int64) (data []byte, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, errors.New("it is a directory")
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("it is not a regular file")
	}
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // read only: nothing can be lost
	data, err = io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = tooLargeError(limit)
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
