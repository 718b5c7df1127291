package projects

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"

	"gopkg.in/yaml.v3"

	"xtoo/internal/nearest"
	"xtoo/projects/schema"
	"xtoo/qemu"
)

// maxRendered bounds in bytes what a template may make.
const maxRendered = maxScriptSize

// tmplText is a text of a configuration that may hold a template.
type tmplText struct {
	pos schema.Position
	src string
	parsedText
}

// texts parses the templates of one tree. Texts that are the same are parsed once.
type texts struct {
	proto  *template.Template
	parsed map[string]parsedText
}

// parsedText is what a text comes to, wherever it stands.
type parsedText struct {
	tmpl *template.Template // nil: the text stands for itself
	uses []string           // names of values
	arch bool               // uses .arch or .subarch
	env  []string           // names of environment variables that it reads
}

func newTexts() *texts {
	return &texts{template.New("text").Option("missingkey=error").Funcs(funcs()), map[string]parsedText{}}
}

// parse reads a text; syntax errors and references to what does not exist are reported.
func (d *decoder) parse(v *schema.Value) *tmplText {
	t := &tmplText{pos: v.Pos, src: v.Text}
	if !strings.Contains(t.src, "{{") {
		return t
	}
	if p, ok := d.texts.parsed[t.src]; ok {
		t.parsedText = p
		return t
	}
	tmpl, err := d.texts.proto.Clone()
	if err == nil {
		tmpl, err = tmpl.Parse(t.src)
	}
	if err != nil {
		line, msg := templateError(err)
		p := schema.Problem{Pos: inText(v, line), Msg: "template: " + msg}
		if m := undefinedFunc(msg); m != "" {
			p.Hint = strings.TrimPrefix(nearest.DidYouMean(m, funcNames()), ": ")
		}
		d.probs.Add(p)
		return t
	}
	if len(tmpl.Templates()) > 1 || tmpl.Tree == nil {
		d.probs.Addf(v.Pos, "template: define and block are not part of configurations")
		return t
	}
	w := &walker{text: t, val: v, probs: d.probs}
	w.list(tmpl.Root, true)
	t.tmpl = tmpl
	if !w.wrong { // else it is reported wherever it stands
		d.texts.parsed[t.src] = t.parsedText
	}
	return t
}

// inText is the position of a line of a text: exact for block texts, the text's start for others.
func inText(v *schema.Value, line int) schema.Position {
	p := v.Pos
	if v.Node != nil && v.Node.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 && line > 0 {
		p.Line, p.Column = p.Line+line, 1
	}
	return p
}

// templateError takes the package's own prefix off: "template: text:LINE:COLUMN: ...".
func templateError(err error) (int, string) {
	msg := err.Error()
	var execErr template.ExecError
	if errors.As(err, &execErr) {
		msg = execErr.Err.Error()
	}
	line := 0
	if rest, ok := strings.CutPrefix(msg, "template: text:"); ok {
		if n, err := fmt.Sscanf(rest, "%d", &line); err != nil || n != 1 {
			line = 0
		}
		if _, after, ok := strings.Cut(rest, ": "); ok {
			msg = after
		}
	}
	msg = strings.TrimPrefix(msg, `executing "text" at `)
	// "unclosed action started at text:LINE": where it started is more use than where the text ended.
	if before, at, ok := strings.Cut(msg, " started at text:"); ok {
		if n, err := fmt.Sscanf(at, "%d", &line); err == nil && n == 1 {
			msg = before
		}
	}
	return line, msg
}

func undefinedFunc(msg string) string {
	rest, ok := strings.CutPrefix(msg, `function "`)
	if !ok {
		return ""
	}
	name, _, _ := strings.Cut(rest, `"`)
	return name
}

// walker finds what a template uses.
type walker struct {
	text  *tmplText
	val   *schema.Value
	probs *schema.Problems
	wrong bool
}

func (w *walker) list(l *parse.ListNode, root bool) {
	if l == nil {
		return
	}
	for _, n := range l.Nodes {
		w.node(n, root)
	}
}

// node walks one node; root says whether the dot is still the whole data there.
func (w *walker) node(n parse.Node, root bool) {
	switch n := n.(type) {
	case *parse.ActionNode:
		w.pipe(n.Pipe, root)
	case *parse.IfNode:
		w.pipe(n.Pipe, root)
		w.list(n.List, root)
		w.list(n.ElseList, root)
	case *parse.RangeNode:
		w.pipe(n.Pipe, root)
		w.list(n.List, false)
		w.list(n.ElseList, root)
	case *parse.WithNode:
		w.pipe(n.Pipe, root)
		w.list(n.List, false)
		w.list(n.ElseList, root)
	case *parse.TemplateNode:
		w.bad(n, "template calls are not part of configurations")
	case *parse.PipeNode:
		w.pipe(n, root)
	case *parse.FieldNode:
		if root {
			w.access(n, n.Ident)
		}
	case *parse.VariableNode:
		if n.Ident[0] == "$" {
			w.access(n, n.Ident[1:])
		}
	case *parse.DotNode:
		if root {
			w.access(n, nil)
		}
	case *parse.ChainNode:
		w.node(n.Node, root)
	}
}

func (w *walker) pipe(p *parse.PipeNode, root bool) {
	if p == nil {
		return
	}
	for _, c := range p.Cmds {
		w.envCall(c)
		for _, a := range c.Args {
			w.node(a, root)
		}
	}
}

// access checks a path from the root of the data. The data are reached by their full names alone, so that
// what a template depends on is known without running it.
func (w *walker) access(n parse.Node, path []string) {
	top := []string{"project", "values", "arch", "subarch", "env"}
	if len(path) == 0 {
		w.bad(n, "name what is meant: .project.name, .project.tag, .project.type, .project.path, .arch, .subarch, .env.NAME or .values.NAME")
		return
	}
	switch path[0] {
	case "values":
		if len(path) == 1 {
			w.bad(n, ".values needs the name of a value: .values.NAME")
			return
		}
		w.text.uses = append(w.text.uses, path[1])
	case "project":
		known := []string{"name", "tag", "type", "path"}
		if len(path) > 1 && !slices.Contains(known, path[1]) {
			w.bad(n, fmt.Sprintf("there is no .project.%s%s", path[1], nearest.DidYouMean(path[1], known)))
		}
	case "arch", "subarch":
		w.text.arch = true
	case "env":
		w.envAccess(n, path[1:])
	default:
		w.bad(n, fmt.Sprintf("there is no .%s%s", path[0], nearest.DidYouMean(path[0], top)))
	}
}

func (w *walker) bad(n parse.Node, msg string) {
	w.wrong = true
	line := 1 + strings.Count(w.text.src[:min(int(n.Position()), len(w.text.src))], "\n")
	w.probs.Addf(inText(w.val, line), "template: %s", msg)
}

// scope is what templates see.
type scope struct {
	arch   string
	values map[string]any
	data   map[string]any // all of it, values among it

	env       map[string]string // the environment
	secretEnv map[string]bool   // the variables that hold secrets
}

func newScope(p *Project, arch qemu.Arch, values map[string]any) scope {
	return scope{arch: arch.Name, values: values, data: map[string]any{
		"project": map[string]any{"name": p.name, "tag": p.Tag, "type": p.typ, "path": p.Tag},
		"values":  values, "arch": arch.Name, "subarch": arch.Subarch,
	}}
}

// render executes the template.
func (t *tmplText) render(s scope) (string, error) {
	if t.tmpl == nil {
		return t.src, nil
	}
	if t.arch && s.arch == "" {
		return "", errArchUnknown
	}
	data, err := t.withEnv(s)
	if err != nil {
		return "", err
	}
	var out limitedBuffer
	if err := t.tmpl.Execute(&out, data); err != nil {
		_, msg := templateError(err)
		return "", errors.New("template: " + msg)
	}
	return out.String(), nil
}

var errArchUnknown = errors.New("template uses the architecture, which is not known: declare it (stage3: {file: …, arch: …, subarch: …})")

type limitedBuffer struct{ bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.Len()+len(p) > maxRendered {
		return 0, fmt.Errorf("makes more than %d bytes", maxRendered)
	}
	return b.Buffer.Write(p)
}

// funcs are the functions of templates besides those of the text/template package. They are pure: what a
// template makes depends on its data alone. env is none that is ever called: see envCall.
func funcs() template.FuncMap {
	return template.FuncMap{
		"lower":   func(v any) string { return strings.ToLower(textOf(v)) },
		"upper":   func(v any) string { return strings.ToUpper(textOf(v)) },
		"replace": func(from, to string, v any) string { return strings.ReplaceAll(textOf(v), from, to) },
		"join":    func(sep string, v any) string { return strings.Join(listFrom(v), sep) },
		"default": func(def, v any) any {
			if truth, _ := template.IsTrue(v); truth {
				return v
			}
			return def
		},
		"chost": func(v any) (string, error) {
			a, err := qemu.Lookup(textOf(v), "")
			return a.CHOST, err
		},
		envFunc: func(string) (string, error) { return "", errNoEnv },
		"quote": func(v any) string {
			words := listFrom(v)
			for i, w := range words {
				words[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
			}
			return strings.Join(words, " ")
		},
	}
}

func funcNames() []string { return sortedKeys(funcs()) }

func textOf(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

// listFrom takes a list apart; anything else is a list of one.
func listFrom(v any) []string {
	rv := reflect.ValueOf(v)
	if rv.Kind() != reflect.Slice {
		return []string{textOf(v)}
	}
	out := make([]string, rv.Len())
	for i := range out {
		out[i] = textOf(rv.Index(i).Interface())
	}
	return out
}
