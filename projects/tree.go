package projects

import (
	"fmt"
	"path/filepath"
	"slices"
	"sort"
	"strings"

	"gopkg.in/yaml.v3"

	"xtoo/internal/nearest"
	"xtoo/projects/schema"
)

// Tree is a source as [Load] found it. It is not changed afterwards, and may be read by several
// goroutines.
type Tree struct {
	// Projects holds every project: parents before their children, else by tag.
	projects []*Project
	// Warnings is worth saying, and stops nothing; sorted by position.
	Warnings []schema.Problem

	from *origin
}

// Project is one directory with a configuration.
type Project struct {
	name     string // the directory's name
	Tag      string // its path relative to the work directory, with "/"
	version  string // see [Source.Version]
	typ      string // `type`, or ""
	typePos  schema.Position
	of       *projectType // nil where there is no type, or it is wrong
	typeless bool         // it is wrong, and has been reported
	Dir      string       // where it is, the same wherever one stands: its absolute path on disk, else NAME/TAG
	config   string       // the configuration's path for messages; on disk it can be opened from the current directory
	// Source is the configuration as it stands in the file, fit to be shown: where the default of a secret
	// stands in it, it is written anew with "(secret)" in its place.
	Source   []byte
	parent   *Project
	children []*Project      // by tag
	Bases    []*Base         // what a root starts from, in the configuration's order: one for each platform; nil for others
	Exclude  []string        // patterns of what never enters the base layer, those of the type first; roots with a stage3 only
	optional []string        // those of Exclude that are the type's: nobody expects all of them to match something
	scripts  []*nodeScript   // the tree of nodes, in order
	Pos      schema.Position // the start of the configuration

	doc     *yaml.Node
	broken  bool // the configuration could not be read as a whole
	hasBase bool // `stage3` or `from` stands, right or wrong
	values  []*declaration
	visible map[string]*declaration // own and inherited, complete
	env     []envEntry
	volumes []Volume
	exec    execution
	checks  []checkScript
	image   imageConfig
	outputs map[Output]*tmplText
}

// Reference is what the image is called where images are kept: its tag, and its version where it has one.
func (p *Project) Reference() string {
	if p.version == "" {
		return p.Tag
	}
	return p.Tag + ":" + p.version
}

// Root returns the project that the chain of parents starts with.
func (p *Project) Root() *Project {
	for p.parent != nil {
		p = p.parent
	}
	return p
}

// ExpectsExcluded reports whether a pattern of Exclude stands in the configuration itself, so that it is a mistake if nothing matches it.
func (p *Project) ExpectsExcluded(pattern string) bool { return !slices.Contains(p.optional, pattern) }

// Executes reports whether the project or one below it has scripts or checks.
func (p *Project) Executes() bool {
	return len(p.scripts)+len(p.checks) > 0 || slices.ContainsFunc(p.children, (*Project).Executes)
}

// chain returns the project and all above it, the root first.
func (p *Project) chain() []*Project {
	if p.parent == nil {
		return []*Project{p}
	}
	return append(p.parent.chain(), p)
}

// nodeScript is one node as the configuration has it: what holds without values.
type nodeScript struct {
	own      bool // not a node: the place of the project's own nodes in a type
	name     string
	path     string // names from the top of the project's tree: "base/sync"
	children []*nodeScript
	pos      schema.Position

	run     *tmplText // nil for a file
	body    []byte    // the file's content
	interp  []string  // the file's interpreter
	values  []nameRef // nil: all
	narrow  bool      // `values` stands
	when    *nameRef  // the value without which there is no such node; nil: always
	files   []fileSet
	env     []envEntry
	volumes []Volume
	exec    execution
	step    *stepUse // nil for what has a script of its own
}

type nameRef struct {
	name string
	pos  schema.Position
}

type envEntry struct {
	name string
	text *tmplText
}

// Volume is a part of this machine that scripts can use. Nothing of it enters an image.
type Volume struct {
	Source   string // absolute path on this machine; whether it is there has not been checked
	text     string // the source as the configuration has it
	Target   string // absolute path for the script
	ReadOnly bool
	track    *tracker // what it holds is part of the key; nil: it is not
	pos      schema.Position
}

// find returns the project of a tag, or nil.
func (t *Tree) find(tag string) *Project {
	for _, p := range t.projects {
		if p.Tag == tag {
			return p
		}
	}
	return nil
}

// Tags returns the tags of all projects, sorted.
func (t *Tree) Tags() []string {
	out := make([]string, len(t.projects))
	for i, p := range t.projects {
		out[i] = p.Tag
	}
	sort.Strings(out)
	return out
}

// Select returns the projects that are named, in the tree's order, each once; with no names all of them.
// A name is a tag, or on disk the path of a project's directory, absolute or relative to cwd; a slash at its end
// does not matter. The error is an [*schema.Errors] with one problem a name.
func (t *Tree) Select(names []string, cwd string) ([]*Project, error) {
	if len(names) == 0 {
		return append([]*Project(nil), t.projects...), nil
	}
	var probs schema.Problems
	wanted := map[*Project]bool{}
	for _, name := range names {
		if p := t.named(name, cwd); p != nil {
			wanted[p] = true
			continue
		}
		p := schema.Problem{Msg: fmt.Sprintf("there is no project %q in %s%s", name, t.from.name, nearest.DidYouMean(name, t.Tags()))}
		if below := t.below(name, cwd); len(below) > 0 {
			p.Hint = fmt.Sprintf("it is a directory of projects: name them, as in %s", below[0])
		} else if !strings.HasSuffix(p.Msg, "?") {
			p.Hint = "its projects are " + firstFew(t.Tags(), 10)
		}
		probs.Add(p)
	}
	if err := probs.Err(); err != nil {
		return nil, err
	}
	var out []*Project
	for _, p := range t.projects {
		if wanted[p] {
			out = append(out, p)
		}
	}
	return out, nil
}

// named finds a project by tag, else by path.
func (t *Tree) named(name, cwd string) *Project {
	if name == "" {
		return nil
	}
	if p := t.find(strings.TrimRight(name, "/")); p != nil {
		return p
	}
	tag, ok := t.tagOf(name, cwd)
	if !ok {
		return nil
	}
	return t.find(tag)
}

// tagOf is the tag that a directory would have.
func (t *Tree) tagOf(path, cwd string) (string, bool) {
	if !t.from.disk {
		return "", false
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(cwd, path)
	}
	if target, err := filepath.EvalSymlinks(path); err == nil {
		path = target
	}
	rel, err := filepath.Rel(t.from.dir, path)
	if err != nil || leadsOut(rel) {
		return "", false
	}
	return filepath.ToSlash(rel), true
}

func (t *Tree) below(name, cwd string) []string {
	prefixes := []string{strings.TrimRight(name, "/") + "/"}
	if tag, ok := t.tagOf(name, cwd); ok {
		if tag == "." {
			return t.Tags()
		}
		prefixes = append(prefixes, tag+"/")
	}
	var out []string
	for _, tag := range t.Tags() {
		for _, prefix := range prefixes {
			if prefix != "/" && strings.HasPrefix(tag, prefix) {
				out = append(out, tag)
				break
			}
		}
	}
	return out
}

func firstFew(words []string, n int) string {
	if len(words) > n {
		return strings.Join(words[:n], ", ") + fmt.Sprintf(" and %d more", len(words)-n)
	}
	return strings.Join(words, ", ")
}
