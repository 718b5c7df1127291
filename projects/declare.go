package projects

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"

	"xtoo/projects/schema"
)

// declaration is one value as one configuration declares it. Where a project declares a value that a
// project above it has declared, what it does not say is taken from there.
type declaration struct {
	name    string
	pos     schema.Position
	def     *rawValue // nil: no default
	byArch  []archDefault
	prompt  string
	help    string
	typ     valueType // "" where the configuration does not say
	choices []string
	many    *bool
	secret  *bool
	confirm *bool
	bounds  bounds
}

// rawValue is a value before its type is known: the default of a configuration, or what was given.
type rawValue struct {
	pos   schema.Position
	node  *yaml.Node
	kind  schema.Kind
	text  *tmplText   // scalars
	items []*tmplText // lists
}

// valueType says what a value is.
type valueType string

// The types of values.
const (
	typeString valueType = "string"
	typeBool   valueType = "bool"
	typeInt    valueType = "int"
	typeList   valueType = "list"
)

// values reads `values`.
func (d *decoder) values(v *schema.Value) []*declaration {
	if v == nil {
		return nil
	}
	var out []*declaration
	for _, e := range v.Keys {
		if isReserved(e.Key) {
			d.probs.Hintf(e.Pos, "choose another name", "a value cannot be named %q: xtoo uses the name itself", e.Key)
			continue
		}
		out = append(out, d.declaration(e))
	}
	return out
}

func (d *decoder) declaration(e schema.Entry) *declaration {
	c := &declaration{name: e.Key, pos: e.Pos}
	v := e.Val
	switch v.Kind {
	case schema.KindNull:
		return c
	case schema.KindMap:
	default:
		c.def = rawOf(v, d.parse)
		return c
	}
	if def := v.Get("default"); def != nil {
		c.def = rawOf(def, d.parse)
	}
	c.byArch = d.archDefaults(v.Get("arch"))
	c.prompt, c.help = v.Get("prompt").String(), strings.TrimRight(v.Get("help").String(), "\n")
	c.bounds = d.bounds(v)
	c.typ = valueType(v.Get("type").String())
	if choices := v.Get("choices"); choices != nil {
		c.choices = []string{}
		for _, item := range choices.Items {
			if strings.Contains(item.Text, "{{") {
				d.probs.Addf(item.Pos, "choices are plain texts: templates are not rendered there")
			}
			c.choices = append(c.choices, item.Text)
		}
	}
	for _, o := range []struct {
		to  **bool
		key string
	}{{&c.many, "many"}, {&c.secret, "secret"}, {&c.confirm, "confirm"}} {
		if set := v.Get(o.key); set != nil {
			yes := set.Yes
			*o.to = &yes
		}
	}
	d.declarationRules(c, v)
	return c
}

// declarationRules checks what the keys of one declaration must not say together.
func (d *decoder) declarationRules(c *declaration, v *schema.Value) {
	if isSet(c.many) && c.typ != "" && c.typ != typeList {
		d.probs.Addf(v.Get("type").Pos, "value %q: \"many\" makes a list, but \"type\" says %s", c.name, c.typ)
	}
}

func isSet(b *bool) bool { return b != nil && *b }

// rawOf reads a scalar or a list; text makes a text of a scalar.
func rawOf(v *schema.Value, text func(*schema.Value) *tmplText) *rawValue {
	r := &rawValue{pos: v.Pos, node: v.Node, kind: v.Kind}
	if v.Kind == schema.KindList {
		for _, item := range v.Items {
			r.items = append(r.items, text(item))
		}
		return r
	}
	if v.Kind == schema.KindBool {
		v.Text = strconv.FormatBool(v.Yes) // True and TRUE are true
	}
	r.text = text(v)
	return r
}

// over completes a declaration with that of the same value in a project above it.
func (c *declaration) over(up *declaration) *declaration {
	out := *c
	if up == nil {
		return &out
	}
	if out.prompt == "" {
		out.prompt = up.prompt
	}
	if out.help == "" {
		out.help = up.help
	}
	if out.typ == "" && out.many == nil && out.def == nil { // what it has for single architectures goes with the rest
		out.typ = up.valueType()
	} else if out.typ == "" && out.many == nil {
		out.typ = up.typ
	}
	if out.choices == nil {
		out.choices = up.choices
	}
	if out.many == nil && (out.typ == "" || out.typ == typeList) {
		out.many = up.many
	}
	if out.secret == nil {
		out.secret = up.secret
	}
	if out.confirm == nil {
		out.confirm = up.confirm
	}
	out.bounds.over(up.bounds, out.valueType() == up.valueType())
	return &out
}

// valueType is the type that a value of this declaration has.
func (c *declaration) valueType() valueType {
	switch {
	case isSet(c.many):
		return typeList
	case c.typ != "":
		return c.typ
	}
	if c.def != nil {
		return c.def.valueType()
	}
	types := map[valueType]bool{}
	for _, def := range c.defaults() { // the order of keys in a mapping means nothing
		if !def.dynamic() { // a template may give anything
			types[def.valueType()] = true
		}
	}
	if len(types) == 1 {
		for only := range types {
			return only
		}
	}
	return typeString
}

// valueType is the type that the value itself suggests.
func (r *rawValue) valueType() valueType {
	switch r.kind {
	case schema.KindList:
		return typeList
	case schema.KindBool:
		return typeBool
	case schema.KindInt:
		return typeInt
	}
	return typeString
}

// knownValue is a value that is known.
type knownValue struct {
	typ    valueType
	text   string
	list   []string
	secret *Secret
}

// isSecret reports whether the value must not be shown.
func (v knownValue) isSecret() bool { return v.secret != nil }

// isEmpty reports whether the value says nothing: no text, no item, false.
func (v knownValue) isEmpty() bool {
	return v.secret == nil && (v.String() == "" || v.typ == typeBool && v.text == "false")
}

// String is the value as scripts see it: the items of a list separated by spaces, true or false. Secrets
// are hidden.
func (v knownValue) String() string {
	switch {
	case v.secret != nil:
		return hidden
	case v.typ == typeList:
		return strings.Join(v.list, " ")
	}
	return v.text
}

// wordList prints as its words with spaces between them, so that {{ .values.programs }} does.
type wordList []string

func (l wordList) String() string { return strings.Join(l, " ") }

// data is the value as templates see it.
func (v knownValue) data() any {
	switch v.typ {
	case typeList:
		return wordList(v.list)
	case typeBool:
		return v.text == "true"
	case typeInt:
		if i, err := strconv.ParseInt(v.text, 10, 64); err == nil {
			return i
		}
	}
	return v.text
}

// maxValue bounds in bytes what a value may hold: Linux takes no longer string in an environment
// (MAX_ARG_STRLEN), name included.
const maxValue = 128*1024 - 256

// value makes a value of the declared type from texts. items is nil for a scalar.
func (c *declaration) value(text string, items []string) (knownValue, error) {
	v := knownValue{typ: c.valueType(), text: text, list: items}
	switch {
	case isSet(c.secret):
		if items != nil {
			return v, fmt.Errorf("a secret is one text, not a list")
		}
		v.secret, v.text = newSecret(text), ""
		if strings.ContainsRune(text, 0) {
			return v, fmt.Errorf("it holds a NUL character")
		}
		if !findable(text) {
			return v, fmt.Errorf("a secret of less than %d bytes cannot be kept out of what scripts print: use a longer one", MinSecret)
		}
		return v, c.bounds.check(typeString, text, nil, true)
	case v.typ == typeList:
		if items == nil {
			v.list = strings.Fields(text)
		}
		v.text = ""
		for _, item := range v.list {
			if item == "" || strings.ContainsAny(item, " \t\r\n") {
				return v, fmt.Errorf("item %q: the items of a list must not be empty or hold white space, because scripts see them separated by spaces", schema.Shorten(item))
			}
		}
	case items != nil:
		return v, fmt.Errorf("it must be one %s, found a list", v.typ)
	case v.typ == typeBool:
		switch strings.ToLower(text) {
		case "true", "yes", "y":
			v.text = "true"
		case "false", "no", "n":
			v.text = "false"
		default:
			return v, fmt.Errorf("it must be true or false, found %q", schema.Shorten(text))
		}
	case v.typ == typeInt:
		i, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return v, fmt.Errorf("it must be a whole number, found %q", schema.Shorten(text))
		}
		v.text = strconv.FormatInt(i, 10)
	}
	shown := v.String()
	if strings.ContainsRune(shown, 0) {
		return v, fmt.Errorf("it holds a NUL character")
	}
	if len(shown) > maxValue {
		return v, fmt.Errorf("it has %d bytes: more than the %d that fit in an environment", len(shown), maxValue)
	}
	words := []string{v.text}
	if v.typ == typeList {
		words = v.list
	}
	if err := c.choose(words); err != nil {
		return v, err
	}
	return v, c.bounds.check(v.typ, v.text, v.list, false)
}

// choose checks against the choices.
func (c *declaration) choose(words []string) error {
	if c.choices == nil {
		return nil
	}
	for _, w := range words {
		if !slices.Contains(c.choices, w) {
			return fmt.Errorf("%q is none of the choices: %s", schema.Shorten(w), strings.Join(c.choices, ", "))
		}
	}
	return nil
}
