package projects

import (
	"maps"
	"slices"
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
	r := resolver{tree: t, given: g, probs: &schema.Problems{}, planned: map[plannedKey]*PlannedProject{}, scopes: map[*PlannedProject]scope{}}
	plan := r.plan(selected)
	if err := r.err(); err != nil {
		return nil, err
	}
	written, names := map[string]*PlannedProject{}, sifNames{}
	for _, q := range plan.Projects {
		r.render(q)
		names.claim(q.Project, q.OutputName(OutputSIF), r.probs)
		if !q.Selected {
			continue
		}
		r.claimOutputs(written, q)
	}
	if err := r.probs.Err(); err != nil {
		return nil, err
	}
	return plan, nil
}

// resolver is the state of one Resolve.
type resolver struct {
	tree      *Tree
	given     Given
	sources   []source
	answers   source
	probs     *schema.Problems
	missing   []missing
	planned   map[plannedKey]*PlannedProject
	scopes    map[*PlannedProject]scope // of those whose values are known
	env       map[string]string         // what templates see of the environment
	secretEnv map[string]bool           // the variables that hold secrets
	early     bool                      // leave out what depends on an architecture that is not known
}

// plannedKey is what there is one planned project for.
type plannedKey struct {
	project *Project
	base    *Base
}

// plan lists the selected projects and those above them, with their values.
func (r *resolver) plan(selected []*Project) *Plan {
	r.sources = r.tree.sources(r.given, r.probs)
	r.answers = answerSource(r.given.Answers)
	r.env, r.secretEnv = environ(r.given.Env), r.tree.secretVariables(r.given.Secrets)
	bases := r.choose(selected)
	chosen, wanted := map[*Project]bool{}, map[*Project]bool{}
	for _, p := range selected {
		wanted[p] = true
		for _, q := range p.chain() {
			chosen[q] = true
		}
	}
	plan := &Plan{}
	for _, p := range r.tree.projects {
		if !chosen[p] {
			continue
		}
		for _, b := range p.Root().Bases {
			if !bases[b] {
				continue
			}
			q := &PlannedProject{
				Project: p, Base: b, Several: b.Several(), Selected: wanted[p],
				Parent: r.planned[plannedKey{p.parent, b}], Arch: r.archOf(b),
			}
			r.planned[plannedKey{p, b}] = q
			if b.Arch.IsZero() { // else it has been looked at
				checkArch(p, q.Arch, r.probs)
			}
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
		sortMissing(r.missing)
		return &MissingError{list: r.missing}
	}
	return nil
}

// render makes the nodes, the image's settings and the outputs of a project whose values are known.
func (r *resolver) render(q *PlannedProject) {
	p, s := q.Project, r.known(q)
	q.Image = r.image(p.image, s)
	r.outputs(q, s)
	all := common{scope: s, env: map[string]string{}, exec: execution{network: NetworkHost, resolver: ResolverHost}}
	for _, up := range p.chain() {
		if len(up.env) > 0 {
			// Inherited variables mean the same everywhere: they are rendered where they stand.
			r.envInto(all.env, up.env, r.known(r.planned[plannedKey{up, q.Base}]))
		}
		all.volumes = volumesOver(all.volumes, up.volumes)
		all.exec.add(up.exec)
	}
	for _, name := range sortedKeys(p.visible) {
		all.values = append(all.values, namedValue{name, q.values[name]})
	}
	all.components(q)
	r.nodes(q, p.scripts, &all)
	r.checks(q, p.checks, &all)
	if q.Selected {
		q.Command = &Node{Project: q}
		r.node(q.Command, &nodeScript{}, &all)
	}
}

// known is what templates see once all values of a project are known.
func (r *resolver) known(q *PlannedProject) scope {
	s, ok := r.scopes[q]
	if !ok {
		s = r.scope(q, false)
		r.scopes[q] = s
	}
	return s
}

// nodes makes the nodes of a list of scripts, and those below them.
func (r *resolver) nodes(q *PlannedProject, list []*nodeScript, all *common) {
	for _, script := range list {
		if script.when != nil && q.values[script.when.name].isEmpty() {
			continue
		}
		r.nodes(q, script.children, all) // they execute before it
		n := &Node{Project: q, Path: script.path, Pos: script.pos, files: script.files}
		r.node(n, script, all)
		q.Nodes = append(q.Nodes, n)
	}
}

// common is what the nodes of a project have in common, and the components that come from it.
type common struct {
	scope   scope
	values  []namedValue
	env     map[string]string
	volumes []Volume
	exec    execution

	ofProject, ofValues, ofEnv, ofVolumes []Component
}

func (all *common) components(q *PlannedProject) {
	all.ofProject = q.projectComponents()
	all.ofValues = valueComponents(all.values)
	all.ofEnv = envComponents(all.env)
	all.ofVolumes = volumeComponents(all.volumes)
}

func (r *resolver) node(n *Node, script *nodeScript, all *common) {
	if n.body, n.Interpreter = script.body, script.interp; script.run != nil {
		body, err := script.run.render(all.scope)
		if err == nil {
			n.body = []byte(body)
			n.Interpreter, err = interpreter(n.body)
		}
		if err != nil {
			r.probs.Addf(script.run.pos, "script %q: %v", script.path, err)
		}
	}
	own := *all // a copy
	if script.narrow {
		own.values = nil
		for _, name := range script.seen() {
			own.values = append(own.values, namedValue{name, n.Project.values[name]})
		}
		own.ofValues = valueComponents(own.values)
	}
	if len(script.env) > 0 {
		own.env = maps.Clone(all.env)
		r.envInto(own.env, script.env, all.scope)
		own.ofEnv = envComponents(own.env)
	}
	if script.step != nil {
		own.env = maps.Clone(own.env)
		n.files = r.arguments(n, script, own.env, all.scope)
		n.ClearFresh = script.step.step.ClearFresh
		own.ofEnv = envComponents(own.env)
	}
	if len(script.volumes) > 0 {
		own.volumes = volumesOver(all.volumes, script.volumes)
		own.ofVolumes = volumeComponents(own.volumes)
	}
	own.exec.add(script.exec)
	if r.given.Offline {
		own.exec.network = NetworkNone
	}
	if own.exec.network == NetworkNone {
		own.exec.resolver = ResolverImage
	}
	n.values, n.env, n.Volumes = own.values, own.env, own.volumes
	n.Network, n.Resolver, n.Limits = own.exec.network, own.exec.resolver, own.exec.limits
	n.fixed = [][]Component{own.ofProject, own.ofValues, own.ofEnv, own.ofVolumes}
}

// volumesOver adds volumes to others, by target; of two at one target the added one counts. The others stay as they are.
func volumesOver(others, added []Volume) []Volume {
	if len(added) == 0 {
		return others
	}
	all := map[string]Volume{}
	for _, v := range slices.Concat(others, added) {
		all[v.Target] = v
	}
	out := make([]Volume, 0, len(all))
	for _, target := range sortedKeys(all) {
		out = append(out, all[target])
	}
	return out
}

// seen lists the values that the script names, sorted, each once.
func (s *nodeScript) seen() []string {
	var out []string
	for _, ref := range s.values {
		if !slices.Contains(out, ref.name) {
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

// claim notes that a project writes a file, and whether another does.
func (r *resolver) claim(written map[string]*PlannedProject, q *PlannedProject, path string, t *tmplText) {
	if other, dup := written[path]; dup {
		r.probs.Addf(t.pos, "projects %q and %q would both write %s", other.Label(), q.Label(), path)
	}
	written[path] = q
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
