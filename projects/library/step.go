package library

import (
	"bytes"
	"errors"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"gopkg.in/yaml.v3"

	"xtoo/internal/nearest"
	"xtoo/projects/schema"
)

// Step is something that a node can do by name. It is not changed once read.
type Step struct {
	Name        string
	Place       Place  // where it was found
	File        string // its step.yaml, for messages: "xtoo:steps/users/step.yaml"
	description string // Markdown
	Group       string // "packages", "system", "files" or "container"
	aliases     []string
	Parameters  []*Parameter // in the file's order
	Network     bool         // it needs the network
	ClearFresh  bool         // what the root has in /run and /tmp is removed
	Check       *Check       // nil: it brings none
	// Script is the whole of what is executed, by /bin/sh: its first line, the shared functions, run.sh.
	Script []byte
}

// Check is a script that looks at a finished image, to be used by name.
type Check struct {
	name   string
	doc    string // Markdown
	Script []byte // as [Step.Script]
}

// rule is what each text of a parameter, or of a field of records, must be.
type rule struct {
	Doc      string // Markdown
	Required bool
	Choices  []string
	Pattern  *regexp.Regexp
}

// Parameter is one key of `with`.
type Parameter struct {
	rule
	Name    string
	Type    string        // [typeString] and so on
	fields  []*field      // of records, in order
	Default *schema.Value // nil: none. Its texts may hold templates
	example string        // YAML in one line; ""
}

// field is one field of records.
type field struct {
	rule
	name string
	def  *schema.Value // a text; nil: none
}

// Variable is the name of the environment variable by which the script sees the parameter.
func (p *Parameter) Variable() string { return "WITH_" + strings.ToUpper(p.Name) }

// stepReader reads the files of one step.
type stepReader struct {
	place Place
	name  string
	probs *schema.Problems
}

func (r *stepReader) file(name string) string { return path.Join("steps", r.name, name) }

// read makes a step of its step.yaml; nil if anything is wrong.
func (r *stepReader) read(data []byte) *Step {
	before := r.probs.Len()
	s := &Step{Name: r.name, Place: r.place, File: r.place.shown(r.file(stepFile))}
	v, ok := stepDocument().Read(s.File, data, r.probs)
	if v == nil {
		if ok {
			r.probs.Addf(schema.Position{File: s.File}, "the file is empty: a step has a description")
		}
		return nil
	}
	s.description, s.Group = strings.TrimSpace(v.Get("description").String()), v.Get("group").String()
	s.Network = v.Get("network").String() == "host"
	if c := v.Get("clear_fresh"); c != nil {
		s.ClearFresh = c.Yes
	}
	for _, a := range items(v.Get("aliases")) {
		s.aliases = append(s.aliases, a.Text)
	}
	if params := v.Get("parameters"); params != nil {
		for _, e := range params.Keys {
			s.Parameters = append(s.Parameters, r.parameter(e))
		}
	}
	head := r.head(items(v.Get("sh")))
	s.Script = r.compose(head, "run.sh", v.Pos)
	if c := v.Get("check"); c != nil {
		script, pos := "check.sh", c.Pos
		if own := c.Get("script"); own != nil {
			script, pos = own.Text, own.Pos
		}
		s.Check = &Check{name: c.Get("name").String(), doc: strings.TrimSpace(c.Get("doc").String()), Script: r.compose(head, script, pos)}
	}
	if r.probs.Len() > before {
		return nil
	}
	return s
}

// items are those of a list; of nil, none.
func items(v *schema.Value) []*schema.Value {
	if v == nil {
		return nil
	}
	return v.Items
}

// head is what goes before each script of the step.
func (r *stepReader) head(names []*schema.Value) []byte {
	b := []byte("#!/bin/sh\nset -eu\n")
	for _, n := range names {
		data, err := readRegular(shipped, "sh/"+n.Text+".sh", maxScript)
		if err != nil {
			r.probs.Addf(n.Pos, "there are no shell functions %q%s", n.Text, nearest.DidYouMean(n.Text, Functions()))
			continue
		}
		b = appendText(b, data)
	}
	return b
}

// Functions are the names of the shell functions that ship, sorted: what `sh` of a step may name.
func Functions() []string {
	var out []string
	entries, _ := fs.ReadDir(shipped, "sh") // it is there
	for _, e := range entries {
		if name, ok := strings.CutSuffix(e.Name(), ".sh"); ok {
			out = append(out, name)
		}
	}
	return out
}

// maxScript is the size in bytes beyond which a script is refused.
const maxScript = 1 << 20

// compose puts a file of the step behind the head.
func (r *stepReader) compose(head []byte, name string, pos schema.Position) []byte {
	file := r.file(name)
	data, err := readRegular(r.place.FS, file, maxScript)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		r.probs.Add(schema.Problem{Pos: pos, Msg: "the step has no script " + name, Hint: "looked for " + r.place.shown(file), Err: err})
		return nil
	case err != nil:
		r.probs.Add(schema.Problem{Pos: pos, Msg: "cannot read the script " + name + ": " + reason(err), Err: err})
		return nil
	case bytes.IndexByte(data, 0) >= 0 || bytes.Contains(data, []byte("\r\n")):
		r.probs.Addf(schema.Position{File: r.place.shown(file)}, "a script of a step is shell text, without NUL characters and without CR LF at the ends of lines")
		return nil
	}
	if line, _, _ := bytes.Cut(data, []byte("\n")); bytes.HasPrefix(line, []byte("#!")) && !shell.Match(line) {
		r.probs.Addf(schema.Position{File: r.place.shown(file), Line: 1, Column: 1}, "a script of a step is executed by /bin/sh, with the shell functions before it: %q names another interpreter; "+
			"write a node with `script` for it, or start the interpreter in the script", string(line[:min(len(line), 80)]))
		return nil
	}
	return appendText(bytes.Clone(head), data)
}

// shell are the #! lines that a step's script may have: it runs under /bin/sh all the same.
var shell = regexp.MustCompile(`^#!\s*(/usr)?/bin/(env\s+)?(sh|dash|ash|bash|busybox sh)(\s+-[a-z]+)?\s*$`)

// appendText adds a text that ends with a line's end. A #! line of its own is a comment by then.
func appendText(to, text []byte) []byte {
	to = append(to, text...)
	if len(text) > 0 && text[len(text)-1] != '\n' {
		to = append(to, '\n')
	}
	return to
}

// parameter reads one parameter.
func (r *stepReader) parameter(e schema.Entry) *Parameter {
	v := e.Val
	p := &Parameter{rule: r.rule(v), Name: e.Key, Type: v.Get("type").String()}
	if p.Type == "" {
		return p // reported
	}
	fields := v.Get("fields")
	switch {
	case fields == nil && p.Type == typeRecords:
		r.probs.Addf(v.Pos, "parameter %q: records need \"fields\"", p.Name)
	case fields != nil && p.Type != typeRecords:
		r.probs.Addf(fields.Pos, "parameter %q: fields are for records", p.Name)
	case fields != nil:
		if len(fields.Keys) == 0 {
			r.probs.Addf(fields.Pos, "parameter %q: records need a field", p.Name)
		}
		for _, f := range fields.Keys {
			p.fields = append(p.fields, r.field(p, f))
		}
	}
	if p.Type == typeRecords || p.Type == TypePath || p.Type == TypeSecret {
		for _, key := range []string{"choices", "pattern"} {
			if at, ok := v.Has(key); ok {
				r.probs.Addf(at, "parameter %q: %s are not for %s", p.Name, key, p.Type)
			}
		}
	}
	what := "default of parameter \"" + p.Name + "\""
	if def := v.Get("default"); def != nil {
		switch {
		case p.Required:
			r.probs.Addf(def.Pos, "parameter %q is required, and has a default", p.Name)
		case p.Type == TypePath || p.Type == TypeSecret:
			r.probs.Addf(def.Pos, "parameter %q: a %s has no default: it names what the project has", p.Name, p.Type)
		default:
			p.Default = def.As(p.shape(), what, r.probs)
			r.try(p, p.Default, what)
		}
	}
	if ex := v.Get("example"); ex != nil {
		r.try(p, ex.As(p.shape(), "example of parameter \""+p.Name+"\"", r.probs), "example of parameter \""+p.Name+"\"")
		p.example = oneLine(ex.Node)
	}
	return p
}

// try checks a default or an example, as far as its texts hold no templates.
func (r *stepReader) try(p *Parameter, v *schema.Value, what string) {
	if v == nil || HasTemplate(v) {
		return
	}
	p.Encode(v, func(v *schema.Value) (string, bool) { return v.Text, true }, func(pos schema.Position, msg string) {
		r.probs.Addf(pos, "%s: %s", what, msg)
	})
}

func (r *stepReader) field(p *Parameter, e schema.Entry) *field {
	f := &field{rule: r.rule(e.Val), name: e.Key, def: e.Val.Get("default")}
	if f.Required && f.def != nil {
		r.probs.Addf(f.def.Pos, "field %q of parameter %q is required, and has a default", f.name, p.Name)
	}
	return f
}

func (r *stepReader) rule(v *schema.Value) rule {
	u := rule{Doc: strings.TrimSpace(v.Get("doc").String())}
	if req := v.Get("required"); req != nil {
		u.Required = req.Yes
	}
	for _, c := range items(v.Get("choices")) {
		u.Choices = append(u.Choices, c.Text)
	}
	if at := v.Get("pattern"); at != nil {
		var err error
		if u.Pattern, err = regexp.Compile(at.Text); err != nil {
			r.probs.Addf(at.Pos, "not a regular expression: %v", err)
		}
	}
	return u
}

// oneLine writes YAML in one line.
func oneLine(n *yaml.Node) string {
	var flow func(n *yaml.Node) *yaml.Node
	flow = func(n *yaml.Node) *yaml.Node {
		if n.Kind == yaml.AliasNode || n.Style&yaml.LiteralStyle != 0 || n.Style&yaml.FoldedStyle != 0 {
			c := *n
			c.Style = yaml.DoubleQuotedStyle
			return &c
		}
		c := *n
		c.HeadComment, c.LineComment, c.FootComment, c.Anchor = "", "", "", ""
		if n.Kind != yaml.ScalarNode {
			c.Style = yaml.FlowStyle
		}
		c.Content = make([]*yaml.Node, len(n.Content))
		for i, child := range n.Content {
			c.Content[i] = flow(child)
		}
		return &c
	}
	out, err := yaml.Marshal(flow(n))
	if err != nil {
		return ""
	}
	return strings.ReplaceAll(strings.TrimSpace(string(out)), "\n", " ")
}
