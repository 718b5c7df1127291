package schema

import "gopkg.in/yaml.v3"

// Kind says what a value is.
type Kind int

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
	Kind  Kind
	Text  string // of a scalar, as it stands in the file
	Yes   bool   // KindBool
	Items []*Value
	Keys  []Entry // in the file's order

	present presence
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
func (v *Value) Has(key string) (Position, bool) { return v.present.find(key) }

// presence is which keys stand in a mapping, and where.
type presence struct {
	list  []keyAt
	index map[string]int // once there are many
}

type keyAt struct {
	key string
	pos Position
}

// few is how many keys are looked through one by one.
const few = 12

func (p *presence) find(key string) (Position, bool) {
	if p.index != nil {
		i, ok := p.index[key]
		if !ok {
			return Position{}, false
		}
		return p.list[i].pos, true
	}
	for _, k := range p.list {
		if k.key == key {
			return k.pos, true
		}
	}
	return Position{}, false
}

func (p *presence) add(key string, pos Position) {
	p.list = append(p.list, keyAt{key, pos})
	if len(p.list) <= few {
		return
	}
	if p.index == nil {
		p.index = map[string]int{}
		for i, k := range p.list {
			p.index[k.key] = i
		}
	}
	p.index[key] = len(p.list) - 1
}
