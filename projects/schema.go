package projects

import (
	"bytes"
	"encoding/json"
	"fmt"

	"gopkg.in/yaml.v3"
)

// SchemaID is the $id of the JSON schema: a name, not an address.
const SchemaID = "urn:xtoo:project-configuration"

// Schema returns the JSON schema (draft 2020-12) of a configuration, for editors and other checkers. It is
// made from the table that configurations are decoded with, and its keys are in the table's order.
//
// What it accepts can still be wrong for reasons beyond one file (a missing script, a parent that is no
// parent); what it refuses is always wrong.
func Schema() []byte {
	s := schemaWriter{defs: omap{}}
	root := omap{
		{"$schema", "https://json-schema.org/draft/2020-12/schema"},
		{"$id", SchemaID},
		{"title", "xtoo project configuration (" + ConfigName + ")"},
		{"description", "A directory with this file is a project and yields one image. The file may be empty in a project that has a parent."},
	}
	body := s.shape(configShape())
	// An empty file is null.
	root = append(root, pair{"type", []string{"object", "null"}})
	for _, p := range body {
		if p.key != "type" {
			root = append(root, p)
		}
	}
	root = append(root, pair{"$defs", s.defs})
	var out bytes.Buffer
	enc := json.NewEncoder(&out)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(root); err != nil {
		panic(fmt.Sprintf("encode schema: %v", err)) //nolint:forbidigo // it depends on the table alone, and a test makes it
	}
	return out.Bytes()
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

type schemaWriter struct {
	defs omap
}

// ref writes a shape, or a reference to it where it has a name.
func (w *schemaWriter) ref(s *shape) omap {
	if s.name == "" {
		return w.shape(s)
	}
	if !w.defs.has(s.name) {
		at := len(w.defs)
		w.defs = append(w.defs, pair{s.name, nil}) // before its body: it may refer to itself
		w.defs[at].value = w.shape(s)
	}
	return omap{{"$ref", "#/$defs/" + s.name}}
}

// shape writes the body of a shape: the keywords of its kinds side by side, since each keyword of JSON
// schema applies to one type alone. Only enum is about all types, and stands where text is the only one.
func (w *schemaWriter) shape(s *shape) omap {
	var types []string
	var out omap
	if s.text != nil {
		types = append(types, "string")
		t := s.text
		switch {
		case len(t.enum) > 0:
			out = append(out, pair{"enum", t.enum})
		case t.pattern != nil:
			out = append(out, pair{"pattern", t.pattern.String()})
		case !t.empty:
			out = append(out, pair{"minLength", 1})
		}
	}
	if s.boolean || s.literal {
		types = append(types, "boolean")
	}
	if s.literal {
		types = append(types, "number")
	} else if s.integer {
		types = append(types, "integer")
	}
	if s.null {
		types = append(types, "null")
	}
	if s.list != nil {
		types = append(types, "array")
		out = append(out, pair{"items", w.ref(s.list.item)})
		if s.list.nonEmpty {
			out = append(out, pair{"minItems", 1})
		}
	}
	if s.dict != nil {
		types = append(types, "object")
		out = append(out, pair{"propertyNames", omap{{"pattern", s.dict.key.String()}}}, pair{"additionalProperties", w.ref(s.dict.value)})
	}
	if s.object != nil {
		types = append(types, "object")
		out = append(out, w.object(s.object)...)
	}
	var typ any = types
	if len(types) == 1 {
		typ = types[0]
	}
	return append(omap{{"type", typ}}, out...)
}

func (w *schemaWriter) object(o *object) omap {
	var props omap
	var required []string
	for _, f := range o.fields {
		body := omap{{"description", f.describe()}}
		if f.def != nil {
			body = append(body, pair{"default", f.def})
		}
		if f.example != "" {
			body = append(body, pair{"examples", []any{exampleJSON(f.example)}})
		}
		body = append(body, w.ref(f.shape)...)
		props = append(props, pair{f.key, body})
		if f.required {
			required = append(required, f.key)
		}
	}
	out := omap{{"properties", props}, {"additionalProperties", false}}
	if len(required) > 0 {
		out = append(out, pair{"required", required})
	}
	var rules []omap
	for _, group := range o.oneOf {
		var each []omap
		for _, key := range group {
			each = append(each, omap{{"required", []string{key}}})
		}
		rules = append(rules, omap{{"oneOf", each}})
	}
	for _, group := range o.notBoth {
		rules = append(rules, omap{{"not", omap{{"type", "object"}, {"required", group}}}})
	}
	if len(rules) > 0 {
		out = append(out, pair{"allOf", rules})
	}
	return out
}

// describe is the description, and the default where it is no constant.
func (f *field) describe() string {
	if f.defText == "" {
		return f.doc
	}
	return f.doc + " Default: " + f.defText + "."
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
