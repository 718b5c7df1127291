package main

import (
	"bytes"
	"strings"
	"text/template"

	"xtoo/projects/library"
	"xtoo/projects/schema"
)

// group is the steps that are listed together.
type group struct {
	Name, Title string
	Steps       []library.StepDoc
}

// steps describes the steps that ship.
func steps() ([]byte, error) {
	var probs schema.Problems
	all := library.Open().Steps(&probs)
	if err := probs.Err(); err != nil {
		return nil, err
	}
	var groups []group
	for _, name := range library.Groups() {
		g := group{Name: name, Title: strings.ToUpper(name[:1]) + name[1:]}
		for _, s := range all {
			if s.Group == name {
				g.Steps = append(g.Steps, s.Doc())
			}
		}
		groups = append(groups, g)
	}
	tmpl, err := template.New("steps.md").Funcs(template.FuncMap{"code": code}).Parse(stepsTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = tmpl.Execute(&b, map[string]any{"Groups": groups, "Functions": library.Functions()})
	return b.Bytes(), err
}
