package projects

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"xtoo/internal/nearest"
)

// Limits of what the reader walks. They are far beyond any real configuration, and keep files that refer
// to their own parts again and again (aliases) from growing without end.
const (
	maxVisits = 100_000
	maxDepth  = 100
)

type kind int

const (
	kindNull kind = iota
	kindText
	kindBool
	kindInt
	kindFloat
	kindList
	kindMap
)

// val is a piece of a configuration that has passed its shape.
type val struct {
	pos   Position
	node  *yaml.Node
	kind  kind
	text  string // the scalar as it stands in the file
	yes   bool   // kindBool
	items []*val
	keys  []entry
	// present has every key that stands in a mapping, right or wrong: a wrong one has been reported, and is
	// not missing as well.
	present map[string]Position
}

type entry struct {
	key string
	pos Position
	val *val
}

// get returns the value of a key, or nil; of nil, nil.
func (v *val) get(key string) *val {
	if v == nil {
		return nil
	}
	for _, e := range v.keys {
		if e.key == key {
			return e.val
		}
	}
	return nil
}

// str returns the text of a scalar; of nil, "".
func (v *val) str() string {
	if v == nil {
		return ""
	}
	return v.text
}

// reader turns YAML into values of a shape.
type reader struct {
	file   string
	probs  *problems
	visits int
	full   bool // the limit was reported
}

func (r *reader) pos(n *yaml.Node) Position {
	return Position{File: r.file, Line: max(n.Line, 1), Column: max(n.Column, 1)}
}

// document parses one YAML document and returns its root node, nil if it is empty or wrong.
func (r *reader) document(data []byte) *yaml.Node {
	if len(data) > MaxConfigSize {
		r.probs.hintf(Position{File: r.file}, "move long scripts and data into files beside it",
			"the file has %d bytes: more than the %d that a configuration may have", len(data), MaxConfigSize)
		return nil
	}
	if pos, bad := badCharacter(r.file, data); bad != "" {
		r.probs.addf(pos, "%s", bad)
		return nil
	}
	dec := yaml.NewDecoder(bytes.NewReader(data))
	var doc, second yaml.Node
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil
	case err != nil:
		r.syntax(data, err)
		return nil
	}
	switch err := dec.Decode(&second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		r.syntax(data, err)
		return nil
	default:
		r.probs.hintf(r.pos(&second), "remove the line --- and what follows it", "a second YAML document: a file holds one")
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		return nil
	}
	if root := doc.Content[0]; root.Kind != yaml.ScalarNode || root.ShortTag() != "!!null" {
		return root
	}
	return nil
}

var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?(.*)$`)

// syntax reports an error of the YAML library, which knows the line at most.
func (r *reader) syntax(data []byte, err error) {
	pos := Position{File: r.file, Line: 1, Column: 1}
	m := yamlLine.FindStringSubmatch(strings.TrimSpace(err.Error()))
	if m == nil {
		r.probs.add(Problem{Pos: pos, Msg: "not YAML: " + err.Error(), Err: err})
		return
	}
	lines := strings.Split(string(data), "\n")
	if n, convErr := strconv.Atoi(m[1]); convErr == nil && n > 0 {
		pos.Line = min(n, len(lines))
	}
	p := Problem{Pos: pos, Msg: "not YAML: " + m[2], Err: err}
	for _, l := range []int{pos.Line, pos.Line + 1} {
		if l <= len(lines) && strings.HasPrefix(strings.TrimLeft(lines[l-1], " "), "\t") {
			p.Pos.Line, p.Hint = l, "indent with spaces: YAML does not allow tabs there"
			break
		}
	}
	line := lines[p.Pos.Line-1]
	p.Pos.Column = utf8.RuneCountInString(line) - utf8.RuneCountInString(strings.TrimLeft(line, " ")) + 1
	r.probs.add(p)
}

// badCharacter finds the first byte that is no UTF-8, or a control character that YAML does not allow.
func badCharacter(file string, data []byte) (Position, string) {
	line, column := 1, 1
	for i := 0; i < len(data); {
		c, size := utf8.DecodeRune(data[i:])
		pos := Position{File: file, Line: line, Column: column}
		switch {
		case c == utf8.RuneError && size <= 1:
			return pos, fmt.Sprintf("not UTF-8: byte 0x%02x", data[i])
		case c < 0x20 && c != '\n' && c != '\r' && c != '\t', c == 0x7f:
			return pos, fmt.Sprintf("control character U+%04X", c)
		}
		if i += size; c == '\n' {
			line, column = line+1, 1
		} else {
			column++
		}
	}
	return Position{}, ""
}

// read checks a node against a shape. What is wrong is reported and left out of the result; nil means that
// nothing of it is usable. label names the place for messages.
func (r *reader) read(n *yaml.Node, s *shape, label string, depth int) *val {
	for hops := 0; n.Kind == yaml.AliasNode && n.Alias != nil && hops < maxDepth; hops++ {
		n = n.Alias
	}
	if r.visits++; r.visits > maxVisits || depth > maxDepth {
		if !r.full {
			r.full = true
			r.probs.addf(r.pos(n), "nested too deep or too large once its aliases are followed")
		}
		return nil
	}
	if n.Style&yaml.TaggedStyle != 0 {
		r.probs.hintf(r.pos(n), "remove the tag; quotes make a text", "%s has a YAML tag (%s): configurations do not use them", label, n.Tag)
		return nil
	}
	v := &val{pos: r.pos(n), node: n}
	switch n.Kind {
	case yaml.ScalarNode:
		return r.scalar(v, s, label)
	case yaml.SequenceNode:
		if s.list == nil {
			r.mismatch(v, s, label, "a list")
			return nil
		}
		return r.sequence(v, s.list, label, depth)
	case yaml.MappingNode:
		if s.object == nil && s.dict == nil {
			r.mismatch(v, s, label, "a mapping")
			return nil
		}
		return r.mapping(v, s, label, depth)
	}
	r.mismatch(v, s, label, "something else")
	return nil
}

func (r *reader) mismatch(v *val, s *shape, label, found string) {
	r.probs.addf(v.pos, "%s must be %s, found %s", label, s.wanted(), found)
}

func (r *reader) scalar(v *val, s *shape, label string) *val {
	n := v.node
	v.text = n.Value
	found := fmt.Sprintf("the text %q", shorten(n.Value))
	switch n.ShortTag() {
	case "!!null":
		v.kind = kindNull
		if s.null {
			return v
		}
		r.probs.addf(v.pos, "%s is empty: it must be %s", label, s.wanted())
		return nil
	case "!!bool":
		v.kind, v.yes = kindBool, strings.EqualFold(n.Value, "true")
		if s.boolean {
			return v
		}
		found = n.Value
	case "!!int":
		v.kind = kindInt
		if s.integer {
			if i, err := strconv.ParseInt(strings.ReplaceAll(n.Value, "_", ""), 0, 64); err == nil {
				v.text = strconv.FormatInt(i, 10)
				return v
			}
			if !s.literal {
				r.probs.addf(v.pos, "%s: %s is too large", label, n.Value)
				return nil
			}
		}
		found = "the number " + n.Value
	case "!!float":
		v.kind = kindFloat
		found = "the number " + n.Value
		if isSpecialFloat(n.Value) {
			r.probs.hintf(v.pos, fmt.Sprintf("write %q, with the quotes", n.Value), "%s must be %s, found %s", label, s.wanted(), found)
			return nil
		}
	default: // !!str, and what YAML 1.1 made of dates and <<
		v.kind = kindText
	}
	if s.text == nil || (v.kind != kindText && !s.literal) {
		r.mismatch(v, s, label, found)
		return nil
	}
	v.kind = kindText // from here on it is the text that stands there
	return r.checkText(v, s.text, label)
}

func isSpecialFloat(s string) bool {
	s = strings.ToLower(strings.TrimLeft(s, "+-"))
	return s == ".inf" || s == ".nan"
}

func (r *reader) checkText(v *val, t *textRule, label string) *val {
	switch {
	case v.text == "" && !t.empty:
		r.probs.addf(v.pos, "%s is empty", label)
		return nil
	case strings.ContainsRune(v.text, 0):
		r.probs.addf(v.pos, "%s holds a NUL character", label)
		return nil
	case len(t.enum) > 0:
		for _, e := range t.enum {
			if e == v.text {
				return v
			}
		}
		r.probs.addf(v.pos, "%s must be %s, found %q%s", label, orList(t.enum), shorten(v.text), nearest.DidYouMean(v.text, t.enum))
		return nil
	case t.pattern != nil && !t.pattern.MatchString(v.text):
		r.probs.addf(v.pos, "%s: %q is not %s", label, shorten(v.text), t.want)
		return nil
	}
	return v
}

func (r *reader) sequence(v *val, l *listRule, label string, depth int) *val {
	v.kind = kindList
	v.items = []*val{}
	if l.nonEmpty && len(v.node.Content) == 0 {
		r.probs.addf(v.pos, "%s is an empty list", label)
		return nil
	}
	for i, c := range v.node.Content {
		if item := r.read(c, l.item, fmt.Sprintf("item %d of %s", i+1, label), depth+1); item != nil {
			v.items = append(v.items, item)
		}
	}
	return v
}

func (r *reader) mapping(v *val, s *shape, label string, depth int) *val {
	v.kind = kindMap
	seen := map[string]Position{}
	v.present = seen
	for i := 0; i+1 < len(v.node.Content); i += 2 {
		kn, vn := v.node.Content[i], v.node.Content[i+1]
		if kn.Kind == yaml.AliasNode && kn.Alias != nil {
			kn = kn.Alias
		}
		pos := r.pos(kn)
		if kn.Kind != yaml.ScalarNode || kn.Style&yaml.TaggedStyle != 0 {
			r.probs.addf(pos, "a key of %s must be plain text", label)
			continue
		}
		key := kn.Value
		if first, dup := seen[key]; dup {
			r.probs.addf(pos, "key %q stands twice: first in line %d", shorten(key), first.Line)
			continue
		}
		seen[key] = pos
		var item *val
		if s.object != nil {
			f := s.object.field(key)
			if f == nil {
				r.unknown(pos, key, s.object)
				continue
			}
			item = r.read(vn, f.shape, fmt.Sprintf("%q", key), depth+1)
		} else {
			if !s.dict.key.MatchString(key) {
				r.probs.addf(pos, "%q is not %s", shorten(key), s.dict.keyWant)
				continue
			}
			item = r.read(vn, s.dict.value, fmt.Sprintf("%q", key), depth+1)
		}
		if item != nil {
			v.keys = append(v.keys, entry{key, pos, item})
		}
	}
	if s.object != nil {
		r.together(v.pos, s.object, label, seen)
	}
	return v
}

func (r *reader) unknown(pos Position, key string, o *object) {
	if hint, ok := o.later[key]; ok {
		r.probs.hintf(pos, hint, "key %q is not part of this version of xtoo", key)
		return
	}
	if key == "<<" {
		r.probs.hintf(pos, "repeat the keys, or use an alias for a whole value", "merge keys (<<) are not part of a configuration")
		return
	}
	p := Problem{Pos: pos, Msg: fmt.Sprintf("unknown key %q%s", shorten(key), nearest.DidYouMean(key, o.keys()))}
	if !strings.HasSuffix(p.Msg, "?") {
		p.Hint = "known here: " + strings.Join(o.keys(), ", ")
	}
	r.probs.add(p)
}

// together checks which keys of a mapping must and must not stand together.
func (r *reader) together(pos Position, o *object, label string, present map[string]Position) {
	// A key of a later version stands for one that would be right.
	for key := range present {
		if _, ok := o.later[key]; ok {
			return
		}
	}
	for _, f := range o.fields {
		if _, ok := present[f.key]; f.required && !ok {
			r.probs.addf(pos, "%s has no %q", label, f.key)
		}
	}
	for _, group := range o.oneOf {
		switch found := among(group, present); {
		case len(found) == 0:
			r.probs.addf(pos, "%s needs %s", label, orList(group))
		case len(found) > 1:
			r.probs.addf(present[found[1]], "%s has both %q and %q: exactly one of them", label, found[0], found[1])
		}
	}
	for _, group := range o.notBoth {
		if found := among(group, present); len(found) > 1 {
			r.probs.addf(present[found[1]], "%s has both %q and %q: at most one of them", label, found[0], found[1])
		}
	}
}

func among(group []string, present map[string]Position) []string {
	var found []string
	for _, k := range group {
		if _, ok := present[k]; ok {
			found = append(found, k)
		}
	}
	return found
}

// orList is `"a", "b" or "c"`.
func orList(words []string) string {
	var b strings.Builder
	for i, w := range words {
		switch {
		case i > 0 && i == len(words)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Quote(w))
	}
	return b.String()
}

// shorten keeps messages to one readable line.
func shorten(s string) string {
	const limit = 60
	if utf8.RuneCountInString(s) <= limit {
		return s
	}
	return string([]rune(s)[:limit]) + "…"
}
