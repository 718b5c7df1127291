package projects

import (
	"fmt"
	"slices"

	"xtoo/projects/schema"
	"xtoo/qemu"
)

// archDefault is the default of a value for some architectures.
type archDefault struct {
	of  qemu.Pattern
	def *rawValue
}

// archDefaults reads `arch` of a value.
func (d *decoder) archDefaults(v *schema.Value) []archDefault {
	if v == nil {
		return nil
	}
	var out []archDefault
	seen := map[qemu.Pattern]schema.Entry{}
	for _, e := range v.Keys {
		p, err := qemu.ParsePattern(e.Key)
		if err != nil {
			d.probs.Add(schema.Problem{Pos: e.Pos, Msg: err.Error(), Err: err})
			continue
		}
		if first, dup := seen[p]; dup {
			d.probs.Addf(e.Pos, "%q means the same architectures as %q in line %d", e.Key, first.Key, first.Pos.Line)
			continue
		}
		seen[p] = e
		out = append(out, archDefault{p, rawOf(e.Val, d.parse)})
	}
	return out
}

// defaults lists what the declaration may take its value from: `default`, and those of single architectures.
func (c *declaration) defaults() []*rawValue {
	var out []*rawValue
	if c.def != nil {
		out = append(out, c.def)
	}
	for _, a := range c.byArch {
		out = append(out, a.def)
	}
	return out
}

// defaultFor is the default on an architecture: that of the most specific name of it, else `default`; nil if
// there is none.
func (c *declaration) defaultFor(a qemu.Arch) *rawValue {
	best, def := qemu.Specificity(0), c.def
	for _, o := range c.byArch {
		if s := o.of.Specificity(); s > best && o.of.Match(a) {
			best, def = s, o.def
		}
	}
	return def
}

// titleOf names one of the defaults for messages.
func (c *declaration) titleOf(def *rawValue) string {
	for _, o := range c.byArch {
		if o.def == def {
			return fmt.Sprintf("default of value %q for %s", c.name, o.of)
		}
	}
	return fmt.Sprintf("default of value %q", c.name)
}

// uses lists the values that the defaults refer to.
func (c *declaration) uses() []string {
	var out []string
	for _, def := range c.defaults() {
		out = append(out, def.uses()...)
	}
	return out
}

// user is the first default that refers to a value.
func (c *declaration) user(name string) *rawValue {
	for _, def := range c.defaults() {
		if slices.Contains(def.uses(), name) {
			return def
		}
	}
	return nil
}

// uses lists the values that a default refers to.
func (r *rawValue) uses() []string {
	var out []string
	for _, t := range r.texts() {
		out = append(out, t.uses...)
	}
	return out
}

// texts lists the texts that a value is made of.
func (r *rawValue) texts() []*tmplText {
	if r.text != nil {
		return append([]*tmplText{r.text}, r.items...)
	}
	return r.items
}

// holdsList reports whether the value is a list, or one of its defaults is.
func (c *declaration) holdsList() bool {
	return c.valueType() == typeList || slices.ContainsFunc(c.defaults(), func(r *rawValue) bool { return r.kind == schema.KindList })
}
