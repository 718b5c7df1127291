package projects

import (
	"path/filepath"
	"sort"
	"strings"

	"xtoo/projects/schema"
)

// Check does as much of [Tree.Resolve] as can be done before the architectures of all roots are known: it
// reads what was given and finds the values, except those that depend on an architecture not known yet. It
// is for finding what is wrong or missing before a stage3 is read. The errors are those of Resolve.
func (t *Tree) Check(selected []*Project, g Given) error {
	r := resolver{tree: t, given: g, probs: &schema.Problems{}, planned: map[plannedKey]*PlannedProject{}, early: true}
	r.plan(selected)
	return r.err()
}

// Resolve gives values to the selected projects and all above them, renders their templates and makes the
// plan. What was given ([Given]) goes before the defaults of the configurations; what a project does not
// declare it inherits from its parent, as it is there.
//
// The error is an [*schema.Errors] when something is wrong, or a [*MissingError] when nothing is wrong but values
// are missing.
func (t *Tree) Resolve(selected []*Project, g Given) (*Plan, error) {
	r := resolver{tree: t, given: g, probs: &schema.Problems{}, planned: map[plannedKey]*PlannedProject{}}
	plan := r.plan(selected)
	if err := r.err(); err != nil {
		return nil, err
	}
	sifs, names := map[string]*PlannedProject{}, sifNames{}
	for _, q := range plan.Projects {
		r.render(q)
		names.claim(q.Project, q.SIFName(), r.probs)
		if q.SIF == "" || !q.Selected {
			continue
		}
		if other, dup := sifs[q.SIF]; dup {
			r.probs.Addf(q.Project.sif.pos, "projects %q and %q would both write %s", other.Label(), q.Label(), q.SIF)
		}
		sifs[q.SIF] = q
	}
	if err := r.probs.Err(); err != nil {
		return nil, err
	}
	return plan, nil
}

// resolver is the state of one Resolve.
type resolver struct {
	tree    *Tree
	given   Given
	sources []source
	answers source
	probs   *schema.Problems
	missing []Missing
	planned map[plannedKey]*PlannedProject
	early   bool // leave out what depends on an architecture that is not known
}

// plannedKey is what there is one planned project for.
type plannedKey struct {
	project *Project
	base    *Base
}

// plan lists the selected projects and those above them, with their values.
func (r *resolver) plan(selected []*Project) *Plan {
	r.sources = r.tree.sources(r.given, r.probs)
	r.answers = r.tree.setSource(r.given.Answers, r.probs)
	bases := r.choose(selected)
	chosen, wanted := map[*Project]bool{}, map[*Project]bool{}
	for _, p := range selected {
		wanted[p] = true
		for _, q := range p.Chain() {
			chosen[q] = true
		}
	}
	plan := &Plan{}
	for _, p := range r.tree.Projects {
		if !chosen[p] {
			continue
		}
		for _, b := range p.Root().Bases {
			if !bases[b] {
				continue
			}
			q := &PlannedProject{
				Project: p, Base: b, Several: b.Several(), Selected: wanted[p],
				Parent: r.planned[plannedKey{p.Parent, b}], Arch: r.archOf(b),
			}
			r.planned[plannedKey{p, b}] = q
			r.values(q)
			plan.Projects = append(plan.Projects, q)
		}
	}
	return plan
}

// err is what is wrong, or else what is missing.
func (r *resolver) err() error {
	if err := r.probs.Err(); err != nil {
		return err
	}
	if len(r.missing) > 0 {
		return &MissingError{List: r.missing}
	}
	return nil
}

// render makes the nodes, the image's settings and the outputs of a project whose values are known.
func (r *resolver) render(q *PlannedProject) {
	p, s := q.Project, r.scope(q, false)
	q.Image = r.image(p.image, s)
	if p.sif != nil {
		r.sif(q, s)
	}
	env := map[string]string{}
	volumes := map[string]Volume{}
	network := NetworkHost
	for _, up := range p.Chain() {
		// Inherited variables mean the same everywhere: they are rendered where they stand.
		at := r.scope(r.planned[plannedKey{up, q.Base}], false)
		r.envInto(env, up.env, at)
		for _, v := range up.volumes {
			volumes[v.Target] = v
		}
		if up.network != "" {
			network = Network(up.network)
		}
	}
	var nodes func(list []*Script, parent *Node) []*Node
	nodes = func(list []*Script, parent *Node) []*Node {
		var out []*Node
		for _, script := range list {
			n := &Node{Project: q, Name: script.Name, Path: script.Path, Parent: parent, Pos: script.Pos, File: script.File, Files: script.files, Network: network}
			n.Children = nodes(script.Children, n)
			r.node(n, script, s, env, volumes)
			q.Nodes = append(q.Nodes, n) // after its children
			out = append(out, n)
		}
		return out
	}
	q.Tree = nodes(p.Scripts, nil)
}

func (r *resolver) node(n *Node, script *Script, s scope, env map[string]string, volumes map[string]Volume) {
	if n.Body, n.Interpreter = script.body, script.interp; script.run != nil {
		body, err := script.run.render(s)
		if err == nil {
			n.Body = []byte(body)
			n.Interpreter, err = interpreter(n.Body)
		}
		if err != nil {
			r.probs.Addf(script.run.pos, "script %q: %v", script.Path, err)
		}
	}
	for _, name := range script.seen(n.Project.Project) {
		n.Values = append(n.Values, NamedValue{name, n.Project.Values[name]})
	}
	n.env = map[string]string{}
	for name, value := range env {
		n.env[name] = value
	}
	r.envInto(n.env, script.env, s)
	if script.network != "" {
		n.Network = Network(script.network)
	}
	all := map[string]Volume{}
	for target, v := range volumes {
		all[target] = v
	}
	for _, v := range script.volumes {
		all[v.Target] = v
	}
	for _, target := range sortedKeys(all) {
		n.Volumes = append(n.Volumes, all[target])
	}
}

// seen lists the values that the script sees, sorted.
func (s *Script) seen(p *Project) []string {
	if !s.narrow {
		return sortedKeys(p.visible)
	}
	var out []string
	for _, ref := range s.values {
		if !contains(out, ref.name) {
			out = append(out, ref.name)
		}
	}
	sort.Strings(out)
	return out
}

// envInto renders variables into a map.
func (r *resolver) envInto(env map[string]string, entries []envEntry, s scope) {
	for _, e := range entries {
		env[e.name] = r.text(e.text, s)
	}
}

// text renders a text that must fit into an environment, a label or an argument.
func (r *resolver) text(t *tmplText, s scope) string {
	out, err := t.render(s)
	switch {
	case err != nil:
		r.probs.Addf(t.pos, "%v", err)
	case strings.ContainsRune(out, 0):
		r.probs.Addf(t.pos, "the text holds a NUL character")
	case len(out) > maxValue:
		r.probs.Addf(t.pos, "the text has %d bytes: more than %d", len(out), maxValue)
	}
	return out
}

func (r *resolver) sif(q *PlannedProject, s scope) {
	p := q.Project
	text := r.text(p.sif, s)
	if text == "" || strings.HasSuffix(text, "/") {
		r.probs.Addf(p.sif.pos, "the SIF's path %q names no file", text)
		return
	}
	d := decoder{loader: &loader{probs: r.probs}, project: p}
	if !p.sif.arch { // else the configuration itself says where the platform stands
		text = SIFPath(text, q.Platform())
	}
	q.SIF = filepath.Clean(d.hostPath(text, p.sif.pos))
}

func (r *resolver) image(c imageConfig, s scope) ImageSettings {
	words := func(list []*tmplText) []string {
		if list == nil {
			return nil
		}
		out := []string{}
		for _, t := range list {
			out = append(out, r.text(t, s))
		}
		return out
	}
	out := ImageSettings{
		Entrypoint: words(c.entrypoint), Cmd: words(c.cmd), Env: map[string]string{}, Labels: map[string]string{},
		Ports: c.ports, Volumes: c.volumes, User: c.user, WorkDir: c.workdir, StopSignal: c.stopSignal,
	}
	r.envInto(out.Env, c.env, s)
	r.envInto(out.Labels, c.labels, s)
	return out
}
