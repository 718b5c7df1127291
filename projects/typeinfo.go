package projects

import (
	"fmt"
	"slices"
	"strings"

	"xtoo/internal/nearest"
	"xtoo/projects/ask"
	"xtoo/projects/schema"
)

// TypeInfo is a type for people who look for one.
type TypeInfo struct {
	Name          string      `json:"name"`
	Description   string      `json:"description"` // Markdown
	File          string      `json:"file"`        // as positions have it: what begins with "xtoo:" ships within the program
	Extends       []string    `json:"extends,omitempty"`
	Root          bool        `json:"root"`                    // a project without a parent may be of this type
	Parents       []string    `json:"parents"`                 // types that the parent may have; `any`, `none`
	Architectures []string    `json:"architectures,omitempty"` // empty: all
	Exclude       []string    `json:"exclude,omitempty"`       // of the stage3, if it has one
	Values        []ValueInfo `json:"values,omitempty"`
	Nodes         []NodeInfo  `json:"nodes,omitempty"`  // in the order of execution
	Checks        []NodeInfo  `json:"checks,omitempty"` // in the order of execution
	Entrypoint    []string    `json:"entrypoint,omitempty"`
	Cmd           []string    `json:"cmd,omitempty"`

	values []*declaration
}

// Questions are what to ask somebody who makes a project of the type: what it has words for, secrets aside. An empty answer
// leaves a default as it is.
func (t *TypeInfo) Questions(project string) []ask.Question {
	var out []ask.Question
	for i, c := range t.values {
		if c.prompt == "" || isSet(c.secret) {
			continue
		}
		q := c.question(project)
		if c.def != nil || c.byArch != nil {
			q.Default = c.shownDefault(*t.Values[i].Default)
		}
		check := q.Check
		q.Check = func(text string) error {
			if text == "" && t.Values[i].Default != nil {
				return nil
			}
			return check(text)
		}
		out = append(out, q)
	}
	return out
}

// shownDefault is a default as somebody would type it: without YAML's quotes and brackets.
func (c *declaration) shownDefault(yaml string) string {
	switch {
	case c.def == nil:
		return yaml
	case c.def.kind == schema.KindText:
		return c.def.text.src
	}
	yaml, _ = strings.CutSuffix(strings.TrimPrefix(yaml, "["), "]")
	return yaml
}

// Given is what somebody gives for a value of the type, as YAML for a configuration. The items of a list are separated by commas.
func (t *TypeInfo) Given(name, text string) (string, error) {
	i := slices.IndexFunc(t.values, func(c *declaration) bool { return c.name == name })
	if i < 0 {
		known := []string{}
		for _, c := range t.values {
			known = append(known, c.name)
		}
		return "", fmt.Errorf("the type %q has no value %q%s", t.Name, name, nearest.DidYouMean(name, known))
	}
	if isSet(t.values[i].secret) {
		return "", fmt.Errorf("value %q is a secret, and is written into no configuration", name)
	}
	v, err := t.values[i].fromText(text)
	switch {
	case err != nil:
		return "", fmt.Errorf("value %q: %w", name, err)
	case v.typ == typeList:
		return yamlList(v.list), nil
	case v.typ == typeString:
		return yamlText(v.text), nil
	}
	return v.text, nil
}

// ValueInfo is a value that a type brings.
type ValueInfo struct {
	Name    string   `json:"name"`
	Type    string   `json:"type"` // string, bool, int or list
	Prompt  string   `json:"prompt,omitempty"`
	Help    string   `json:"help,omitempty"`
	Choices []string `json:"choices,omitempty"`
	Secret  bool     `json:"secret,omitempty"`
	Default *string  `json:"default"` // as YAML; nil: there is none, and xtoo asks
}

// NodeInfo is a node or a check of a type.
type NodeInfo struct {
	Path string `json:"path"`
	What string `json:"what"`           // "step packages", "script base.sh", "run"
	When string `json:"when,omitempty"` // the value without which there is none
	Own  bool   `json:"own,omitempty"`  // no node: the place of the project's own
}

// Types lists all types that projects of a source may have, by name. The error is an [*schema.Errors] with what is wrong with
// those that are not among them, or what the system said about the work directory.
func Types(s Source) ([]TypeInfo, error) {
	l, err := openLoader(s)
	if err != nil {
		return nil, err
	}
	var out []TypeInfo
	for _, name := range l.library.TypeNames() {
		if t := l.typeOf(name, schema.Position{}, nil); t != nil {
			out = append(out, t.info())
		}
	}
	return out, l.probs.Err()
}

// Type describes one type.
func Type(s Source, name string) (*TypeInfo, error) {
	l, err := openLoader(s)
	if err != nil {
		return nil, err
	}
	t := l.typeOf(name, schema.Position{}, nil)
	if err := l.probs.Err(); err != nil {
		return nil, err
	}
	info := t.info()
	return &info, nil
}

func openLoader(s Source) (*loader, error) {
	o, err := s.open()
	if err != nil {
		return nil, err
	}
	return newLoader(o, s.Library), nil
}

func (t *projectType) info() TypeInfo {
	p := t.content
	out := TypeInfo{
		Name: t.name, Description: t.description, File: t.pos.File, Extends: t.lineage[1:], Root: t.mayBeRoot(), Parents: t.parents,
		Exclude: p.Exclude, values: p.values, Entrypoint: sources(p.image.entrypoint), Cmd: sources(p.image.cmd),
	}
	if t.parents == nil {
		out.Parents = []string{anyType, noType}
	}
	for _, r := range t.arches {
		out.Architectures = append(out.Architectures, r.text)
	}
	for _, c := range p.values {
		out.Values = append(out.Values, c.info())
	}
	out.Nodes = nodeInfos(p.scripts, "")
	for _, c := range p.checks {
		n := nodeInfos([]*nodeScript{c.nodeScript}, "")[0]
		if c.named {
			n.What = "a check of the library"
		}
		out.Checks = append(out.Checks, n)
	}
	return out
}

func (c *declaration) info() ValueInfo {
	v := ValueInfo{Name: c.name, Type: string(c.valueType()), Prompt: c.prompt, Help: c.help, Choices: c.choices, Secret: isSet(c.secret)}
	switch {
	case c.def != nil && v.Secret:
		text := hidden
		v.Default = &text
	case c.def != nil:
		text := c.def.yaml()
		v.Default = &text
	case c.byArch != nil:
		text := "by architecture"
		v.Default = &text
	}
	return v
}

// yaml is the value as it would stand in a configuration, in one line.
func (r *rawValue) yaml() string {
	if r.kind != schema.KindList {
		if r.kind == schema.KindText {
			return yamlText(r.text.src)
		}
		return r.text.src
	}
	return yamlList(sources(r.items))
}

// sources are texts as they stand.
func sources(list []*tmplText) []string {
	var out []string
	for _, t := range list {
		out = append(out, t.src)
	}
	return out
}

func nodeInfos(list []*nodeScript, when string) []NodeInfo {
	var out []NodeInfo
	for _, s := range list {
		if s.own {
			out = append(out, NodeInfo{Own: true, What: "the project's own nodes"})
			continue
		}
		n := NodeInfo{Path: s.path, When: when, What: s.what()}
		if s.when != nil {
			n.When = s.when.name
		}
		out = append(append(out, nodeInfos(s.children, n.When)...), n)
	}
	return out
}

// what says what the node executes.
func (s *nodeScript) what() string {
	switch {
	case s.step != nil:
		return fmt.Sprintf("step %s", s.step.step.Name)
	case s.run != nil:
		return "run"
	}
	return "script"
}
