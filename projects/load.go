package projects

import (
	"errors"
	"io/fs"
	"path"
	"runtime"
	"slices"
	"sort"
	"strings"
	"sync"
	"sync/atomic"

	"xtoo/projects/library"
	"xtoo/projects/schema"
)

// errNoProjects says that the work directory holds no project. The error of [Load] wraps it.
var errNoProjects = errors.New("no projects")

// Load reads a tree: finds its projects, reads their configurations and the scripts they name,
// and checks every rule that holds without values. Directories whose names begin with a dot are passed
// over, and symbolic links to directories are not followed.
//
// The error is an [*schema.Errors] with all problems of all files, or what the system said about the work
// directory itself. Nothing is changed.
func Load(s Source) (*Tree, error) {
	o, err := s.open()
	if err != nil {
		return nil, err
	}
	l := newLoader(o, s.Library)
	l.version = s.Version
	l.walk(".")
	for i, r := range l.readAll() {
		l.project(l.found[i], r)
	}
	if len(l.found) == 0 && l.probs.Len() == 0 {
		l.probs.Add(schema.Problem{Pos: schema.Position{File: l.name}, Msg: "there is no project in this directory", Err: errNoProjects,
			Hint: "a project is a directory with a file " + configName})
	}
	t := l.tree()
	l.giveTypes(t)
	l.check(t)
	if err := l.probs.Err(); err != nil {
		return nil, err
	}
	t.Warnings = l.warn.Sorted()
	for _, p := range t.projects {
		p.forget()
	}
	return t, nil
}

// forget lets go of the YAML, which is of no use once everything is checked.
func (p *Project) forget() {
	p.doc = nil
	for _, c := range p.values {
		for _, def := range c.defaults() {
			def.node = nil
		}
	}
}

// loader is the state of one Load.
type loader struct {
	*origin
	found    []string // tags, parents first
	byTag    map[string]*Project
	links    map[string]bool // directories, and whether a symbolic link is on the way to them
	probs    *schema.Problems
	warn     *schema.Problems
	document *schema.Document
	texts    *texts
	library  *library.Library
	types    map[string]typeState
	version  string
}

// newLoader looks for what the library has in the tree itself first.
func newLoader(o *origin, places []library.Place) *loader {
	return &loader{
		origin: o, byTag: map[string]*Project{}, links: map[string]bool{}, probs: &schema.Problems{}, warn: &schema.Problems{},
		document: configDocument(), texts: newTexts(), types: map[string]typeState{},
		library: library.Open(slices.Concat([]library.Place{{FS: o.fsys, Name: o.name}}, places)...),
	}
}

// walk finds projects below a directory of the tree.
func (l *loader) walk(dir string) {
	entries, err := fs.ReadDir(l.fsys, dir)
	if err != nil {
		l.warn.Add(schema.Problem{Pos: schema.Position{File: l.shown(dir)}, Msg: "cannot be searched for projects: " + reason(err), Err: err})
		return
	}
	l.links[dir] = false
	for _, e := range entries {
		if e.Name() == configName {
			l.foundConfig(dir)
		}
	}
	for _, e := range entries {
		name := e.Name()
		child := path.Join(dir, name)
		switch {
		case strings.HasPrefix(name, "."):
		case e.IsDir():
			l.walk(child)
		case e.Type()&fs.ModeSymlink != 0:
			// Following it could leave the work directory, run in circles, or give one project two tags.
			if _, err := fs.Lstat(l.fsys, path.Join(child, configName)); err == nil {
				l.warn.Hintf(schema.Position{File: l.shown(child)}, "make it a directory of its own",
					"a symbolic link to a project is not followed")
			}
		}
	}
}

func (l *loader) foundConfig(rel string) {
	pos := schema.Position{File: l.shown(path.Join(rel, configName))}
	if rel == "." {
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

// readConfig is one configuration as it was read, or why it could not be.
type readConfig struct {
	data  []byte
	err   error
	value *schema.Value // nil if it says nothing, or is wrong: ok tells which
	ok    bool
	probs schema.Problems
}

// readAll reads the configurations that were found, in their order, several at a time.
func (l *loader) readAll() []readConfig {
	all := make([]readConfig, len(l.found))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(all)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(all); i = int(next.Add(1)) - 1 {
				r, name := &all[i], path.Join(l.found[i], configName)
				if r.data, _, r.err = readRegular(l.fsys, name, MaxConfigSize); r.err == nil {
					r.value, r.ok = l.document.Read(l.shown(name), r.data, &r.probs)
				}
			}
		})
	}
	wg.Wait()
	return all
}

// project makes a project of its configuration.
func (l *loader) project(tag string, r readConfig) {
	p := &Project{
		name: path.Base(tag), Tag: tag, version: l.version, Dir: l.place(tag),
		config: l.shown(path.Join(tag, configName)),
	}
	p.Pos = schema.Position{File: p.config, Line: 1, Column: 1}
	l.byTag[tag] = p
	if r.err != nil {
		p.broken = true
		l.probs.Add(schema.Problem{Pos: schema.Position{File: p.config}, Msg: "cannot read the configuration: " + reason(r.err), Err: r.err})
		return
	}
	p.Source = r.data
	l.probs.AddAll(&r.probs)
	if r.value == nil {
		p.broken = !r.ok
		return // empty, or reported
	}
	d := decoder{loader: l, project: p, from: l.origin, dir: tag}
	d.decode(r.value)
}

// tree links the projects.
func (l *loader) tree() *Tree {
	t := &Tree{from: l.origin}
	for _, tag := range l.found {
		p := l.byTag[tag]
		for up := path.Dir(tag); up != "."; up = path.Dir(up) {
			if parent := l.byTag[up]; parent != nil {
				p.parent = parent
				parent.children = append(parent.children, p)
				break
			}
		}
		t.projects = append(t.projects, p)
	}
	for _, p := range t.projects {
		sort.Slice(p.children, func(i, j int) bool { return lessTag(p.children[i].Tag, p.children[j].Tag) })
	}
	// "a/b" must come after "a", but "a-b" sorts between them as text: compare part by part.
	sort.SliceStable(t.projects, func(i, j int) bool { return lessTag(t.projects[i].Tag, t.projects[j].Tag) })
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
