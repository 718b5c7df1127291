package library

import (
	"fmt"
	"strings"

	"xtoo/projects/schema"
)

// StepDoc describes a step, for people and for programs.
type StepDoc struct {
	Name        string         `json:"name"`
	Group       string         `json:"group"`
	Summary     string         `json:"summary"`     // the first sentence of the description
	Description string         `json:"description"` // Markdown
	Aliases     []string       `json:"aliases,omitempty"`
	From        string         `json:"from"` // "xtoo" for what ships, else its directory
	Network     bool           `json:"network"`
	Parameters  []ParameterDoc `json:"parameters"`
	Check       *CheckDoc      `json:"check,omitempty"`
	Example     string         `json:"example"` // a node
}

// ParameterDoc describes a parameter, or a field of records.
type ParameterDoc struct {
	Name     string         `json:"name"`
	Type     string         `json:"type,omitempty"` // of parameters
	Doc      string         `json:"doc,omitempty"`  // Markdown
	Required bool           `json:"required"`
	Default  string         `json:"default,omitempty"` // YAML in one line
	Choices  []string       `json:"choices,omitempty"`
	Pattern  string         `json:"pattern,omitempty"`
	Example  string         `json:"example,omitempty"` // YAML in one line
	Fields   []ParameterDoc `json:"fields,omitempty"`
}

// CheckDoc describes the check that a step brings.
type CheckDoc struct {
	Name string `json:"name"`
	Doc  string `json:"doc"` // Markdown
}

// Doc describes the step.
func (s *Step) Doc() StepDoc {
	d := StepDoc{
		Name: s.Name, Group: s.Group, Summary: firstSentence(s.description), Description: s.description, Aliases: s.aliases,
		From: program, Network: s.Network, Parameters: []ParameterDoc{}, Example: s.example(),
	}
	if s.Place.Name != shippedName {
		d.From = strings.TrimSuffix(s.File, "/"+stepFile)
	}
	for _, p := range s.Parameters {
		pd := p.doc(p.Name, p.Default)
		pd.Type, pd.Example = p.Type, p.example
		for _, f := range p.fields {
			pd.Fields = append(pd.Fields, f.doc(f.name, f.def))
		}
		d.Parameters = append(d.Parameters, pd)
	}
	if s.Check != nil {
		d.Check = &CheckDoc{s.Check.name, s.Check.doc}
	}
	return d
}

func (r rule) doc(name string, def *schema.Value) ParameterDoc {
	d := ParameterDoc{Name: name, Doc: r.Doc, Required: r.Required, Choices: r.Choices}
	if def != nil {
		d.Default = oneLine(def.Node)
	}
	if r.Pattern != nil {
		d.Pattern = r.Pattern.String()
	}
	return d
}

// example is a node that uses the step, with all parameters that have an example.
func (s *Step) example() string {
	var b strings.Builder
	fmt.Fprintf(&b, "- name: %s\n  step: %s\n", s.Name, s.Name)
	with := "  with:\n"
	for _, p := range s.Parameters {
		if p.example != "" {
			fmt.Fprintf(&b, "%s    %s: %s\n", with, p.Name, p.example)
			with = ""
		}
	}
	return b.String()
}

// firstSentence ends at the first full stop, or colon, that a space follows; in one line.
func firstSentence(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if i := strings.IndexAny(text, ".:"); i >= 0 {
		for ; i < len(text); i++ {
			if (text[i] == '.' || text[i] == ':') && (i+1 == len(text) || text[i+1] == ' ') {
				return text[:i]
			}
		}
	}
	return text
}
