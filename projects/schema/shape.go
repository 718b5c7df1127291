package schema

import (
	"regexp"
)

// Document is a kind of file: what it is called in messages and in its JSON schema, and what may stand in it.
type Document struct {
	Label   string // for messages: "the configuration"
	Program string // whose files these are, for messages about keys of a later version
	Root    *Shape

	ID, Title, Description string // of the JSON schema
}

// Shape says what a place in a file may hold. A place may allow several kinds at once (a list or a text,
// say): the kind that is found chooses among the parts. Shapes are not changed once made, and may refer to themselves.
type Shape struct {
	Name string // in the JSON schema's $defs; empty: written in place
	What string // for messages: "a list of scripts"; empty: what the parts suggest

	Text    *Text // text is allowed
	Boolean bool
	Integer bool
	// Literal: any scalar but null is allowed and taken as the text that stands there, so that 022 stays
	// 022 and 3.10 stays 3.10. Needs Text.
	Literal bool
	Null    bool // nothing is allowed
	List    *List
	Object  *Object // a mapping with fixed keys
	Dict    *Dict   // a mapping with free keys
	// Open: what is in a list or mapping is not looked at, because it depends on what is found elsewhere: [Value.As]
	// reads it. List and Dict only say what is allowed.
	Open bool
}

// Text says which texts are allowed.
type Text struct {
	Pattern *regexp.Regexp // nil: any
	Want    string         // what the pattern means, for messages
	Enum    []string       // the only ones; nil: any
	Empty   bool           // the empty text is allowed
}

// List says what the items of a list are.
type List struct {
	Item     *Shape
	NonEmpty bool
}

// Dict says what the keys and values of a mapping are whose keys are free.
type Dict struct {
	Key     *regexp.Regexp
	KeyWant string // what Key means, for messages
	Value   *Shape
}

// Object says what the keys of a mapping are.
type Object struct {
	Fields []*Field
	// OneOf: exactly one key of each group must stand; NotBoth: at most one.
	OneOf   [][]string
	NotBoth [][]string
	// Later are keys that people who read about the program will try, with what to do instead.
	Later map[string]string
	// Unknown says of a key that it is unknown: "step x has no parameter"; empty: "unknown key".
	Unknown string
}

// Field is one key of an [Object].
type Field struct {
	Key      string
	Shape    *Shape
	Required bool
	Doc      string // one or two sentences, Markdown
	Default  any    // as JSON; nil: none
	DefText  string // default in words, where it is no constant
	Example  string // YAML
}

func (o *Object) field(key string) *Field {
	for _, f := range o.Fields {
		if f.Key == key {
			return f
		}
	}
	return nil
}

func (o *Object) keys() []string {
	out := make([]string, len(o.Fields))
	for i, f := range o.Fields {
		out[i] = f.Key
	}
	return out
}

// wanted describes the shape for a message.
func (s *Shape) wanted() string {
	if s.What != "" {
		return s.What
	}
	switch {
	case s.Object != nil, s.Dict != nil:
		return "a mapping (key: value)"
	case s.List != nil:
		return "a list"
	case s.Boolean && s.Text == nil:
		return "true or false"
	case s.Integer && s.Text == nil:
		return "a whole number"
	case s.Text != nil && len(s.Text.Enum) > 0:
		return orList(s.Text.Enum)
	}
	return "text"
}
