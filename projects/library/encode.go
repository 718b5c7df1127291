package library

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"xtoo/projects/schema"
)

// fieldEnd separates the fields of a record in what a script sees: the unit separator, which no text holds.
const fieldEnd = "\x1f"

// Shape is what `with` of a step may hold: its parameters.
func (s *Step) Shape() *schema.Shape {
	o := &schema.Object{Unknown: fmt.Sprintf("step %q has no parameter", s.Name)}
	for _, p := range s.Parameters {
		o.Fields = append(o.Fields, &schema.Field{Key: p.Name, Shape: p.shape(), Required: p.Required})
	}
	return &schema.Shape{What: "a mapping (parameter: value)", Object: o}
}

// shape is what the parameter may hold in a file.
func (p *Parameter) shape() *schema.Shape {
	const scalar = "text, a number, or true or false"
	switch p.Type {
	case typeList:
		s := literal("a list of texts, or a text that is split at white space")
		s.List = &schema.List{Item: literal(scalar)}
		return s
	case typeMap:
		return &schema.Shape{What: "a mapping (key: text)", Dict: &schema.Dict{Key: keyRule(), KeyWant: "a key: a text of one line without =", Value: literal(scalar)}}
	case typeRecords:
		o := &schema.Object{Unknown: fmt.Sprintf("parameter %q has no field", p.Name)}
		var names []string
		for _, f := range p.fields {
			one := literal("text, or a list of texts")
			one.List = &schema.List{Item: literal(scalar)}
			o.Fields = append(o.Fields, &schema.Field{Key: f.name, Shape: one, Required: f.Required})
			names = append(names, f.name+": …")
		}
		s := literal("a list of mappings ({" + strings.Join(names, ", ") + "}), or a text of words NAME=TEXT;NAME=TEXT")
		s.List = &schema.List{Item: &schema.Shape{What: "a mapping ({" + strings.Join(names, ", ") + "})", Object: o}}
		return s
	case TypeSecret:
		return matching(paramRule(), "the name of a value that is declared secret")
	case TypePath:
		return textShape("a path")
	case typeInt:
		return literal("a whole number")
	case typeBool:
		return literal("true or false")
	}
	return literal(scalar)
}

// HasTemplate reports whether a text in the value holds a template.
func HasTemplate(v *schema.Value) bool {
	return v != nil && (strings.Contains(v.Text, "{{") || slices.ContainsFunc(v.Items, HasTemplate) ||
		slices.ContainsFunc(v.Keys, func(e schema.Entry) bool { return HasTemplate(e.Val) }))
}

// A Render makes of a text what its templates make of it; ok is false where that failed and was reported.
type Render func(*schema.Value) (text string, ok bool)

// encoder makes the text of a variable, and reports what is wrong with what it is made of.
type encoder struct {
	render Render
	report func(schema.Position, string)
}

// Encode makes the text of the parameter's variable of what stands in a file, or of its default where v is nil. Paths and
// secrets stay as they are: where they are found is the caller's to say. What is wrong is reported and left out.
func (p *Parameter) Encode(v *schema.Value, render Render, report func(schema.Position, string)) string {
	if v == nil {
		v = p.Default
	}
	if v == nil {
		return ""
	}
	e := encoder{render, report}
	switch p.Type {
	case typeList:
		return strings.Join(e.list(v, p.rule), "\n")
	case typeMap:
		var lines []string
		for _, k := range v.Keys {
			if text, ok := e.line(k.Val, p.rule); ok {
				lines = append(lines, k.Key+"="+text)
			}
		}
		return strings.Join(lines, "\n")
	case typeRecords:
		records := v.Items
		if v.Kind != schema.KindList {
			records = e.records(v, p)
		}
		var lines []string
		for _, item := range records {
			var fields []string
			for _, f := range p.fields {
				fields = append(fields, e.field(item, f))
			}
			lines = append(lines, strings.Join(fields, fieldEnd))
		}
		return strings.Join(lines, "\n")
	}
	return e.scalar(v, p)
}

// records reads records from a text, as templates make it of a list: a word for each, NAME=TEXT;NAME=TEXT.
func (e encoder) records(v *schema.Value, p *Parameter) []*schema.Value {
	text, ok := e.render(v)
	if !ok {
		return nil
	}
	var names []string
	for _, f := range p.fields {
		names = append(names, f.name)
	}
	var out []*schema.Value
	for _, word := range strings.Fields(text) {
		record := &schema.Value{Pos: v.Pos, Kind: schema.KindMap}
		for _, field := range strings.Split(word, ";") {
			name, text, ok := strings.Cut(field, "=")
			switch {
			case !ok || !slices.Contains(names, name):
				e.report(v.Pos, fmt.Sprintf("%q in %q is no field: want NAME=TEXT;NAME=TEXT with the names %s", schema.Shorten(field), schema.Shorten(word), strings.Join(names, ", ")))
			case record.Get(name) != nil:
				e.report(v.Pos, fmt.Sprintf("%q in %q stands twice", name, schema.Shorten(word)))
			default:
				record.Keys = append(record.Keys, schema.Entry{Key: name, Pos: v.Pos, Val: &schema.Value{Pos: v.Pos, Kind: schema.KindText, Text: text}})
			}
		}
		for _, f := range p.fields {
			if f.Required && record.Get(f.name) == nil {
				e.report(v.Pos, fmt.Sprintf("%q needs the field %q", schema.Shorten(word), f.name))
			}
		}
		out = append(out, record)
	}
	return out
}

// scalar makes one text.
func (e encoder) scalar(v *schema.Value, p *Parameter) string {
	var text string
	var ok bool
	if p.Type == typeText {
		if text, ok = e.render(v); ok && strings.ContainsFunc(text, func(r rune) bool { return isControl(r) && r != '\n' && r != '\t' }) {
			e.report(v.Pos, "it holds a control character")
		}
	} else {
		text, ok = e.line(v, rule{})
	}
	switch {
	case !ok:
		return ""
	case text == "" && p.Required:
		e.report(v.Pos, "it is empty, and must not be")
		return ""
	case text == "":
		return "" // as if it were not given
	}
	switch p.Type {
	case typeBool:
		switch strings.ToLower(text) {
		case "true", "yes":
			text = "true"
		case "false", "no":
			text = "false"
		default:
			e.report(v.Pos, fmt.Sprintf("it must be true or false, found %q", schema.Shorten(text)))
		}
	case typeInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			e.report(v.Pos, fmt.Sprintf("it must be a whole number, found %q", schema.Shorten(text)))
		}
		text = strconv.FormatInt(n, 10)
	}
	e.obey(text, v.Pos, p.rule)
	return text
}

// list makes the items of a list. An item that a template makes empty is left out.
func (e encoder) list(v *schema.Value, r rule) []string {
	var out []string
	if v.Kind != schema.KindList {
		text, ok := e.render(v)
		if !ok {
			return nil
		}
		for _, word := range strings.Fields(text) {
			if e.plain(word, v.Pos) {
				e.obey(word, v.Pos, r)
				out = append(out, word)
			}
		}
		return out
	}
	for _, item := range v.Items {
		text, ok := e.line(item, r)
		switch {
		case ok && text != "":
			out = append(out, text)
		case ok && !HasTemplate(item):
			e.report(item.Pos, "an item is empty")
		}
	}
	return out
}

// field makes one field of a record. The items of a list have commas between them.
func (e encoder) field(record *schema.Value, f *field) string {
	v := record.Get(f.name)
	if v == nil {
		v = f.def
	}
	if v == nil {
		return ""
	}
	var text string
	ok := true
	if v.Kind == schema.KindList {
		words := e.list(v, f.rule)
		for _, w := range words {
			if strings.Contains(w, ",") {
				e.report(v.Pos, fmt.Sprintf("item %q of %q holds a comma, which separates items", schema.Shorten(w), f.name))
			}
		}
		text = strings.Join(words, ",")
	} else {
		text, ok = e.line(v, f.rule)
	}
	if ok && text == "" && f.Required {
		e.report(v.Pos, fmt.Sprintf("%q is empty, and must not be", f.name))
	}
	return text
}

// line makes a text of one line that obeys the rule; an empty one obeys any.
func (e encoder) line(v *schema.Value, r rule) (string, bool) {
	text, ok := e.render(v)
	if !ok || !e.plain(text, v.Pos) {
		return "", false
	}
	if text != "" {
		e.obey(text, v.Pos, r)
	}
	return text, true
}

// plain refuses what would be more than a line, or a part of one.
func (e encoder) plain(text string, pos schema.Position) bool {
	i := strings.IndexFunc(text, isControl)
	if i < 0 {
		return true
	}
	what := fmt.Sprintf("holds the control character %q", text[i])
	if text[i] == '\n' {
		what = "has several lines"
	}
	e.report(pos, fmt.Sprintf("the text %q %s", schema.Shorten(text), what))
	return false
}

func isControl(r rune) bool { return r < 0x20 || r == 0x7f }

func (e encoder) obey(text string, pos schema.Position, r rule) {
	switch {
	case r.Choices != nil && !slices.Contains(r.Choices, text):
		e.report(pos, fmt.Sprintf("%q is none of the choices: %s", schema.Shorten(text), strings.Join(r.Choices, ", ")))
	case r.Pattern != nil && !r.Pattern.MatchString(text):
		e.report(pos, fmt.Sprintf("%q does not match %s", schema.Shorten(text), r.Pattern))
	}
}
