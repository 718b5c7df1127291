package schema

import (
	"bytes"
	"encoding/json"
	"fmt"

	"gopkg.in/yaml.v3"
)

// JSON returns the JSON schema (draft 2020-12) of the document, for editors and other checkers. Its keys are in the
// table's order. An empty document is null, and right.
//
// What it accepts can still be wrong for reasons beyond one file; what it refuses, [Document.Read] refuses too.
func (d *Document) JSON() ([]byte, error) {
	w := jsonWriter{defs: omap{}}
	root := omap{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", d.ID},
		{"title", d.Title},
		{"description", d.Description},
	}
	body := w.shape(d.Root)
	root = append(root, pair{"type", []string{"object", "null"}})
	for _, p := range body {
		if p.key != "type" {
			root = append(root, p)
		}
	}
	root = append(root, pair{"$defs", w.defs})
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		return nil, fmt.Errorf("encode the JSON schema: %w", err)
	}
	return out.Bytes(), nil
}

// omap is a JSON object that keeps its order.
type omap []pair

type pair struct {
	key   string
	value any
}

// MarshalJSON writes the pairs in order.
func (m omap) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range m {
		if i > 0 {
			b.WriteByte(',')
		}
		key, err := marshal(p.key)
		if err != nil {
			return nil, err
		}
		value, err := marshal(p.value)
		if err != nil {
			return nil, err
		}
		b.Write(key)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimRight(b.Bytes(), "\n"), err
}

func (m omap) has(key string) bool {
	for _, p := range m {
		if p.key == key {
			return true
		}
	}
	return false
}

type jsonWriter struct {
	defs omap
}

// ref writes a shape, or a reference to it where it has a name.
func (w *jsonWriter) ref(s *Shape) omap {
	if s.Name == "" {
		return w.shape(s)
	}
	if !w.defs.has(s.Name) {
		at := len(w.defs)
		w.defs = append(w.defs, pair{s.Name, nil}) // before its body: it may refer to itself
		w.defs[at].value = w.shape(s)
	}
	return omap{{"$ref", "#/$defs/" + s.Name}}
}

// shape writes the body of a shape: the keywords of its kinds side by side, since each keyword of JSON
// schema applies to one type alone. Only enum is about all types, and stands where text is the only one.
func (w *jsonWriter) shape(s *Shape) omap {
	var types []string
	var out omap
	if s.Text != nil {
		types = append(types, "string")
		t := s.Text
		switch {
		case len(t.Enum) > 0:
			out = append(out, pair{"enum", t.Enum})
		case t.Pattern != nil:
			out = append(out, pair{"pattern", t.Pattern.String()})
		case !t.Empty:
			out = append(out, pair{"minLength", 1})
		}
	}
	if s.Boolean || s.Literal {
		types = append(types, "boolean")
	}
	if s.Literal {
		types = append(types, "number")
	} else if s.Integer {
		types = append(types, "integer")
	}
	if s.Null {
		types = append(types, "null")
	}
	if s.List != nil {
		types = append(types, "array")
		if !s.Open {
			out = append(out, pair{"items", w.ref(s.List.Item)})
		}
		if s.List.NonEmpty {
			out = append(out, pair{"minItems", 1})
		}
	}
	if s.Dict != nil {
		types = append(types, "object")
		if !s.Open {
			out = append(out, pair{"propertyNames", omap{{"pattern", s.Dict.Key.String()}}}, pair{"additionalProperties", w.ref(s.Dict.Value)})
		}
	}
	if s.Object != nil {
		types = append(types, "object")
		out = append(out, w.object(s.Object)...)
	}
	var typ any = types
	if len(types) == 1 {
		typ = types[0]
	}
	return append(omap{{"type", typ}}, out...)
}

func (w *jsonWriter) object(o *Object) omap {
	var props omap
	var required []string
	for _, f := range o.Fields {
		body := omap{{"description", f.describe()}}
		if f.Default != nil {
			body = append(body, pair{"default", f.Default})
		}
		if f.Example != "" {
			body = append(body, pair{"examples", []any{exampleJSON(f.Example)}})
		}
		body = append(body, w.ref(f.Shape)...)
		props = append(props, pair{f.Key, body})
		if f.Required {
			required = append(required, f.Key)
		}
	}
	out := omap{{"properties", props}, {"additionalProperties", false}}
	if len(required) > 0 {
		out = append(out, pair{"required", required})
	}
	var rules []omap
	for _, group := range o.OneOf {
		var each []omap
		for _, key := range group {
			each = append(each, omap{{"required", []string{key}}})
		}
		rules = append(rules, omap{{"oneOf", each}})
	}
	for _, group := range o.NotBoth {
		rules = append(rules, omap{{"not", omap{{"type", "object"}, {"required", group}}}})
	}
	if len(rules) > 0 {
		out = append(out, pair{"allOf", rules})
	}
	return out
}

// describe is the description, and the default where it is no constant.
func (f *Field) describe() string {
	if f.DefText == "" {
		return f.Doc
	}
	return f.Doc + " Default: " + f.DefText + "."
}

// exampleJSON turns an example of the table into JSON that keeps its order.
func exampleJSON(text string) any {
	var n yaml.Node
	if err := yaml.Unmarshal([]byte(text), &n); err != nil || len(n.Content) != 1 {
		return text // a test reads every example
	}
	return nodeJSON(n.Content[0])
}

func nodeJSON(n *yaml.Node) any {
	switch n.Kind {
	case yaml.SequenceNode:
		out := []any{}
		for _, c := range n.Content {
			out = append(out, nodeJSON(c))
		}
		return out
	case yaml.MappingNode:
		out := omap{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			out = append(out, pair{n.Content[i].Value, nodeJSON(n.Content[i+1])})
		}
		return out
	}
	if n.ShortTag() == "!!bool" {
		return n.Value == "true"
	}
	return n.Value
}
