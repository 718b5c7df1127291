package projects

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"text/template/parse"

	"xtoo/internal/nearest"
	"xtoo/projects/schema"
)

// valuePrefix is what variables begin with that give values: XTOO_VALUE_HOSTNAME gives hostname.
const valuePrefix = "XTOO_VALUE_"

// environ is an environment by name; of several variables of one name the last counts.
func environ(list []string) map[string]string {
	out := make(map[string]string, len(list))
	for _, kv := range list {
		if name, value, ok := strings.Cut(kv, "="); ok {
			out[name] = value
		}
	}
	return out
}

// valuesIn lists the variables that give values, and the names of these.
func valuesIn(env map[string]string) map[string]string {
	out := map[string]string{}
	for variable := range env {
		if name, ok := strings.CutPrefix(variable, valuePrefix); ok {
			out[variable] = name
		}
	}
	return out
}

// envSource is what variables give. Those of no value are left alone: [Tree.UnknownVariables] names them.
func (t *Tree) envSource(env map[string]string) source {
	s := newSource()
	var known []string
	for variable, name := range valuesIn(env) {
		if known == nil {
			known = t.declared()
		}
		if lower := strings.ToLower(name); name == strings.ToUpper(name) && slices.Contains(known, lower) {
			s.general[lower] = givenValue{pos: schema.Position{File: "environment variable " + variable}, text: env[variable], cli: true}
		}
	}
	return s
}

// UnknownVariables warns of variables of an environment ("NAME=value") that begin as those do which give values, and give
// none, because no project declares one of that name.
func (t *Tree) UnknownVariables(list []string) []schema.Problem {
	env := environ(list)
	var out []schema.Problem
	for _, variable := range sortedKeys(valuesIn(env)) {
		var names []string
		for _, name := range t.declared() {
			names = append(names, valuePrefix+strings.ToUpper(name))
		}
		if slices.Contains(names, variable) {
			continue
		}
		msg := "environment variable " + variable + " gives no value, since no project declares one of that name"
		out = append(out, schema.Problem{Msg: msg + nearest.DidYouMean(variable, names)})
	}
	return out
}

// envCall makes .env.NAME of {{ env "NAME" }}, in place: what a template reads is known without executing it.
func (w *walker) envCall(c *parse.CommandNode) {
	for i, arg := range c.Args {
		id, ok := arg.(*parse.IdentifierNode)
		if !ok || id.Ident != envFunc {
			continue
		}
		if i == 0 && len(c.Args) == 2 {
			if name, ok := c.Args[1].(*parse.StringNode); ok {
				c.Args = []parse.Node{&parse.VariableNode{NodeType: parse.NodeVariable, Pos: id.Pos, Ident: []string{"$", "env", name.Text}}}
				return
			}
		}
		w.bad(id, `env needs the name of a variable as it is, in quotes: {{ env "NAME" }}`)
		return
	}
}

// envFunc is the name of the function that stands for .env.
const envFunc = "env"

// envAccess checks what of the environment a template reads.
func (w *walker) envAccess(n parse.Node, path []string) {
	switch {
	case len(path) != 1:
		w.bad(n, ".env needs the name of a variable: .env.NAME")
	case !envPattern().MatchString(path[0]):
		w.bad(n, fmt.Sprintf("%q is no name of an environment variable", schema.Shorten(path[0])))
	case strings.HasPrefix(path[0], "XTOO_"):
		hint := "they are xtoo's own"
		if name, ok := strings.CutPrefix(path[0], valuePrefix); ok {
			hint = "use .values." + strings.ToLower(name) + ", which it gives"
		}
		w.bad(n, fmt.Sprintf("templates cannot read %s: %s", path[0], hint))
	default:
		w.text.env = append(w.text.env, path[0])
	}
}

// withEnv is the data with the variables that the text reads; one that is not set is empty.
func (t *tmplText) withEnv(s scope) (map[string]any, error) {
	if len(t.env) == 0 {
		return s.data, nil
	}
	vars := map[string]any{}
	for _, name := range t.env {
		if s.secretEnv[name] {
			return nil, fmt.Errorf("template: the environment variable %s holds a secret, and what templates make ends up in images and logs", name)
		}
		vars[name] = s.env[name]
	}
	data := maps.Clone(s.data)
	data["env"] = vars
	return data, nil
}

// errNoEnv is what the function would return that templates are parsed with: envCall takes its place.
var errNoEnv = errors.New("the environment is not known")
