package schema

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"xtoo/internal/nearest"
)

// Limits of what the reader walks. They are far beyond any real configuration, and keep files that refer
// to their own parts again and again (aliases) from growing without end.
const (
	maxVisits = 100_000
	maxDepth  = 100
)

// reader turns YAML into values of a shape.
type reader struct {
	file    string
	program string
	probs   *Problems
	visits  int
	full    bool // the limit was reported
	slab    []Value
}

// value makes a value. They are many and live as long as each other, so they are made some at a time.
func (r *reader) value(n *yaml.Node) *Value {
	if len(r.slab) == 0 {
		r.slab = make([]Value, 16)
	}
	v := &r.slab[0]
	r.slab = r.slab[1:]
	v.Pos, v.Node = r.pos(n), n
	return v
}

func (r *reader) pos(n *yaml.Node) Position {
	return Position{File: r.file, Line: max(n.Line, 1), Column: max(n.Column, 1)}
}

// label names a place for messages. Most places need none: it is put into words when one does.
type label struct {
	text string // as it is
	key  string // or a key
	item int    // or an item of a list, from 1
	of   *label
}

func (l label) String() string {
	switch {
	case l.item > 0:
		return fmt.Sprintf("item %d of %s", l.item, l.of)
	case l.text != "":
		return l.text
	}
	return strconv.Quote(l.key)
}

// read checks a node against a shape. What is wrong is reported and left out of the result; nil means that
// nothing of it is usable. at names the place for messages.
func (r *reader) read(n *yaml.Node, s *Shape, at label, depth int) *Value {
	for hops := 0; n.Kind == yaml.AliasNode && n.Alias != nil && hops < maxDepth; hops++ {
		n = n.Alias
	}
	if r.visits++; r.visits > maxVisits || depth > maxDepth {
		if !r.full {
			r.full = true
			r.probs.Addf(r.pos(n), "nested too deep or too large once its aliases are followed")
		}
		return nil
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.probs.Hintf(r.pos(n), "remove the tag; quotes make a text", "%s has a YAML tag (%s): configurations do not use them", at, n.Tag)
		return nil
	}
	v := r.value(n)
	if s.Open {
		v.rest = r
	}
	switch n.Kind {
	case yaml.ScalarNode:
		return r.scalar(v, s, at)
	case yaml.SequenceNode:
		if s.List == nil {
			r.mismatch(v, s, at, "a list")
			return nil
		}
		if s.Open {
			v.Kind = KindList
			return v
		}
		return r.sequence(v, s.List, at, depth)
	case yaml.MappingNode:
		if s.Object == nil && s.Dict == nil {
			r.mismatch(v, s, at, "a mapping")
			return nil
		}
		if s.Open {
			v.Kind = KindMap
			return v
		}
		return r.mapping(v, s, at, depth)
	}
	r.mismatch(v, s, at, "something else")
	return nil
}

func (r *reader) mismatch(v *Value, s *Shape, at label, found string) {
	r.probs.Addf(v.Pos, "%s must be %s, found %s", at, s.wanted(), found)
}

func (r *reader) scalar(v *Value, s *Shape, at label) *Value {
	n := v.Node
	v.Text = n.Value
	found := ""
	switch n.ShortTag() {
	case "!!null":
		v.Kind = KindNull
		if s.Null {
			return v
		}
		r.probs.Addf(v.Pos, "%s is empty: it must be %s", at, s.wanted())
		return nil
	case "!!bool":
		v.Kind, v.Yes = KindBool, strings.EqualFold(n.Value, "true")
		if s.Boolean {
			return v
		}
		found = n.Value
	case "!!int":
		v.Kind = KindInt
		if s.Integer {
			if i, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64); err == nil {
				v.Text = strconv.FormatInt(i, 10)
				return v
			}
			if !s.Literal {
				r.probs.Addf(v.Pos, "%s: %s is too large", at, n.Value)
				return nil
			}
		}
		found = "the number " + n.Value
	case "!!float":
		v.Kind, found = kindFloat, "the number "+n.Value
		if isSpecialFloat(n.Value) {
			r.probs.Hintf(v.Pos, fmt.Sprintf("write %q, with the quotes", n.Value), "%s must be %s, found %s", at, s.wanted(), found)
			return nil
		}
	default: // !!str, and what YAML 1.1 made of dates and <<
		v.Kind = KindText
	}
	if s.Text == nil || (v.Kind != KindText && !s.Literal) {
		if v.Kind == KindText {
			found = fmt.Sprintf("the text %q", Shorten(n.Value))
		}
		r.mismatch(v, s, at, found)
		return nil
	}
	v.Kind = KindText // from here on it is the text that stands there
	return r.checkText(v, s.Text, at)
}

func isSpecialFloat(s string) bool {
	s = strings.ToLower(strings.TrimLeft(s, "+-"))
	return s == ".inf" || s == ".nan"
}

func (r *reader) checkText(v *Value, t *Text, at label) *Value {
	switch {
	case v.Text == "" && !t.Empty:
		r.probs.Addf(v.Pos, "%s is empty", at)
		return nil
	case strings.ContainsRune(v.Text, 0):
		r.probs.Addf(v.Pos, "%s holds a NUL character", at)
		return nil
	case len(t.Enum) > 0:
		for _, e := range t.Enum {
			if e == v.Text {
				return v
			}
		}
		r.probs.Addf(v.Pos, "%s must be %s, found %q%s", at, orList(t.Enum), Shorten(v.Text), nearest.DidYouMean(v.Text, t.Enum))
		return nil
	case t.Pattern != nil && !t.Pattern.MatchString(v.Text):
		r.probs.Addf(v.Pos, "%s: %q is not %s", at, Shorten(v.Text), t.Want)
		return nil
	}
	return v
}

func (r *reader) sequence(v *Value, l *List, at label, depth int) *Value {
	v.Kind = KindList
	v.Items = make([]*Value, 0, len(v.Node.Content))
	if l.NonEmpty && len(v.Node.Content) == 0 {
		r.probs.Addf(v.Pos, "%s is an empty list", at)
		return nil
	}
	for i, c := range v.Node.Content {
		if item := r.read(c, l.Item, label{item: i + 1, of: &at}, depth+1); item != nil {
			v.Items = append(v.Items, item)
		}
	}
	return v
}

func (r *reader) mapping(v *Value, s *Shape, at label, depth int) *Value {
	v.Kind = KindMap
	v.Keys = make([]Entry, 0, len(v.Node.Content)/2)
	seen := seenKeys{of: v}
	for i := 0; i+1 < len(v.Node.Content); i += 2 {
		kn, vn := v.Node.Content[i], v.Node.Content[i+1]
		if kn.Kind == yaml.AliasNode && kn.Alias != nil {
			kn = kn.Alias
		}
		pos := r.pos(kn)
		if kn.Kind != yaml.ScalarNode || kn.Style&yaml.TaggedStyle != 0 {
			r.probs.Addf(pos, "a key of %s must be plain text", at)
			continue
		}
		key := kn.Value
		if first, dup := seen.add(key, pos); dup {
			r.probs.Addf(pos, "key %q stands twice: first in line %d", Shorten(key), first.Line)
			continue
		}
		if item := r.item(key, pos, vn, s, depth); item != nil {
			v.Keys = append(v.Keys, Entry{key, pos, item})
		} else {
			v.wrong = append(v.wrong, keyAt{key, pos})
		}
	}
	if s.Object != nil {
		r.together(v, s.Object, at)
	}
	return v
}

// item reads what stands under a key of a mapping.
func (r *reader) item(key string, pos Position, n *yaml.Node, s *Shape, depth int) *Value {
	if s.Object != nil {
		if f := s.Object.field(key); f != nil {
			return r.read(n, f.Shape, label{key: key}, depth+1)
		}
		r.unknown(pos, key, s.Object)
		return nil
	}
	if s.Dict.Key.MatchString(key) {
		return r.read(n, s.Dict.Value, label{key: key}, depth+1)
	}
	r.probs.Addf(pos, "%q is not %s", Shorten(key), s.Dict.KeyWant)
	return nil
}

// seenKeys finds keys that stand twice. Few are looked through one by one.
type seenKeys struct {
	of    *Value
	index map[string]Position // once there are many
}

const fewKeys = 12

func (s *seenKeys) add(key string, pos Position) (first Position, dup bool) {
	if s.index == nil && len(s.of.Keys)+len(s.of.wrong) < fewKeys {
		return s.of.Has(key)
	}
	if s.index == nil {
		s.index = map[string]Position{}
		for _, e := range s.of.Keys {
			s.index[e.Key] = e.Pos
		}
		for _, k := range s.of.wrong {
			s.index[k.key] = k.pos
		}
	}
	if first, dup = s.index[key]; !dup {
		s.index[key] = pos
	}
	return first, dup
}

func (r *reader) unknown(pos Position, key string, o *Object) {
	if hint, ok := o.Later[key]; ok {
		r.probs.Hintf(pos, hint, "key %q is not part of this version of %s", key, r.program)
		return
	}
	if key == "<<" {
		r.probs.Hintf(pos, "repeat the keys, or use an alias for a whole value", "merge keys (<<) are not part of a configuration")
		return
	}
	what := o.Unknown
	if what == "" {
		what = "unknown key"
	}
	p := Problem{Pos: pos, Msg: fmt.Sprintf("%s %q%s", what, Shorten(key), nearest.DidYouMean(key, o.keys()))}
	if !strings.HasSuffix(p.Msg, "?") && len(o.Fields) > 0 {
		p.Hint = "known here: " + strings.Join(o.keys(), ", ")
	}
	r.probs.Add(p)
}

// together checks which keys of a mapping must and must not stand together.
func (r *reader) together(v *Value, o *Object, at label) {
	// A key of a later version stands for one that would be right.
	for key := range o.Later {
		if _, ok := v.Has(key); ok {
			return
		}
	}
	for _, f := range o.Fields {
		if _, ok := v.Has(f.Key); f.Required && !ok {
			r.probs.Addf(v.Pos, "%s has no %q", at, f.Key)
		}
	}
	for _, group := range o.OneOf {
		switch found := v.among(group); {
		case len(found) == 0:
			r.probs.Addf(v.Pos, "%s needs %s", at, orList(group))
		case len(found) > 1:
			r.probs.Addf(found[1].pos, "%s has both %q and %q: exactly one of them", at, found[0].key, found[1].key)
		}
	}
	for _, group := range o.NotBoth {
		if found := v.among(group); len(found) > 1 {
			r.probs.Addf(found[1].pos, "%s has both %q and %q: at most one of them", at, found[0].key, found[1].key)
		}
	}
}

// among lists those of the keys that stand in a mapping.
func (v *Value) among(keys []string) []keyAt {
	var found []keyAt
	for _, k := range keys {
		if pos, ok := v.Has(k); ok {
			found = append(found, keyAt{k, pos})
		}
	}
	return found
}
