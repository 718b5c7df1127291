package projects

import (
	"regexp"
)

// shape says what a place in a configuration may hold. A place may allow several kinds at once (a list or
// a text, say): the kind that is found chooses among the parts.
type shape struct {
	name string // in the schema's $defs; empty: written in place
	what string // for messages: "a list of scripts"

	text    *textRule // text is allowed
	boolean bool
	integer bool
	// literal: any scalar but null is allowed and taken as the text that stands there, so that 022 stays
	// 022 and 3.10 stays 3.10. Needs text.
	literal bool
	null    bool // nothing is allowed
	list    *listRule
	object  *object // a mapping with fixed keys
	dict    *dict   // a mapping with free keys
}

type textRule struct {
	pattern *regexp.Regexp // nil: any
	want    string         // what the pattern means, for messages
	enum    []string
	empty   bool // the empty text is allowed
	tmpl    bool // may hold {{ }}: for the reference only
}

type listRule struct {
	item     *shape
	nonEmpty bool
}

type dict struct {
	key     *regexp.Regexp
	keyWant string
	value   *shape
}

type object struct {
	fields []*field
	// oneOf: exactly one key of each group must stand; notBoth: at most one.
	oneOf   [][]string
	notBoth [][]string
	// later are keys that people who read about xtoo will try, with what to do instead.
	later map[string]string
}

type field struct {
	key      string
	shape    *shape
	required bool
	doc      string // one or two sentences, Markdown
	def      any    // default, as JSON; nil: none
	defText  string // default in words, where it is no constant
	example  string // YAML
}

func (o *object) field(key string) *field {
	for _, f := range o.fields {
		if f.key == key {
			return f
		}
	}
	return nil
}

func (o *object) keys() []string {
	out := make([]string, len(o.fields))
	for i, f := range o.fields {
		out[i] = f.key
	}
	return out
}

// wanted describes the shape for a message.
func (s *shape) wanted() string {
	if s.what != "" {
		return s.what
	}
	switch {
	case s.object != nil, s.dict != nil:
		return "a mapping (key: value)"
	case s.list != nil:
		return "a list"
	case s.boolean && s.text == nil:
		return "true or false"
	case s.integer && s.text == nil:
		return "a whole number"
	}
	return "text"
}
