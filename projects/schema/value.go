package schema

import "gopkg.in/yaml.v3"

// Kind says what a value is.
type Kind uint8

// The kinds. A scalar that was taken as the text that stands there is a text.
const (
	KindNull Kind = iota
	KindText
	KindBool
	KindInt
	KindList
	KindMap
	kindFloat // stands nowhere in what was read: it is a text, or wrong
)

// Value is a piece of a file that has passed its shape.
type Value struct {
	Pos   Position
	Node  *yaml.Node // where it was read from; an alias is followed
	Text  string     // of a scalar, as it stands in the file
	Kind  Kind
	Yes   bool // KindBool
	Items []*Value
	Keys  []Entry // in the file's order

	wrong []keyAt // keys of a mapping that stand there and are not among Keys
	rest  *reader // of an open one: what reads on
}

// As reads what was left open ([Shape.Open]) by a shape that became known since. What is wrong is added to probs;
// nil means that nothing of it is usable. what names the place for messages.
func (v *Value) As(s *Shape, what string, probs *Problems) *Value {
	if v == nil || v.rest == nil {
		return nil
	}
	v.rest.probs = probs
	return v.rest.read(v.Node, s, label{text: what}, 0)
}

// Entry is one key of a mapping with its value.
type Entry struct {
	Key string
	Pos Position // of the key
	Val *Value
}

// Get returns the value of a key, or nil; of nil, nil.
func (v *Value) Get(key string) *Value {
	if v == nil {
		return nil
	}
	for _, e := range v.Keys {
		if e.Key == key {
			return e.Val
		}
	}
	return nil
}

// String returns the text of a scalar; of nil, "".
func (v *Value) String() string {
	if v == nil {
		return ""
	}
	return v.Text
}

// Has reports where a key stands in a mapping, right or wrong: a wrong one has been reported, and is not
// missing as well.
func (v *Value) Has(key string) (Position, bool) {
	if v == nil {
		return Position{}, false
	}
	for _, e := range v.Keys {
		if e.Key == key {
			return e.Pos, true
		}
	}
	for _, k := range v.wrong {
		if k.key == key {
			return k.pos, true
		}
	}
	return Position{}, false
}

type keyAt struct {
	key string
	pos Position
}
