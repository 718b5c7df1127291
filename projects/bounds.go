package projects

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strconv"
	"unicode/utf8"

	"xtoo/projects/schema"
)

// bounds are what a declaration allows besides its type and choices.
type bounds struct {
	pattern    *regexp.Regexp // nil: any text. It matches whole texts
	expression string         // the pattern as it is written
	min, max   *int64         // nil: none
	pos        struct{ pattern, min, max schema.Position }
}

// bounds reads `pattern`, `min` and `max`.
func (d *decoder) bounds(v *schema.Value) bounds {
	var b bounds
	if p := v.Get("pattern"); p != nil {
		b.expression, b.pos.pattern = p.Text, p.Pos
		// Alone first: what is wrong with it must not be mended by what goes around it.
		_, err := regexp.Compile(p.Text)
		if err == nil {
			b.pattern, err = regexp.Compile(`\A(?:` + p.Text + `)\z`)
		}
		if err != nil {
			d.probs.Addf(p.Pos, "pattern %q is no regular expression: %s", schema.Shorten(p.Text), regexpReason(err))
		}
	}
	for _, o := range []struct {
		key string
		to  **int64
		pos *schema.Position
	}{{"min", &b.min, &b.pos.min}, {"max", &b.max, &b.pos.max}} {
		if n := v.Get(o.key); n != nil {
			number, err := strconv.ParseInt(n.Text, 10, 64)
			if err != nil {
				d.probs.Addf(n.Pos, "%s must be a whole number, found %q", o.key, n.Text)
				continue
			}
			*o.to, *o.pos = &number, n.Pos
		}
	}
	return b
}

// regexpReason leaves out the expression, which the message names.
func regexpReason(err error) string {
	var e *syntax.Error
	if errors.As(err, &e) {
		return string(e.Code)
	}
	return err.Error()
}

// over completes bounds with those of the same value in a project above. Numbers mean something else in a value of another
// type: those stay there.
func (b *bounds) over(up bounds, sameType bool) {
	if b.pattern == nil && b.expression == "" {
		b.pattern, b.expression, b.pos.pattern = up.pattern, up.expression, up.pos.pattern
	}
	if !sameType {
		return
	}
	if b.min == nil {
		b.min, b.pos.min = up.min, up.pos.min
	}
	if b.max == nil {
		b.max, b.pos.max = up.max, up.pos.max
	}
}

// checkBounds reports bounds that no value of the declaration can keep. c is complete.
func (l *loader) checkBounds(c *declaration) {
	b, typ := c.bounds, c.valueType()
	if isSet(c.secret) {
		typ = typeString
	}
	for _, o := range []struct {
		key string
		set bool
		pos schema.Position
	}{{"pattern", b.expression != "", b.pos.pattern}, {"min", b.min != nil, b.pos.min}, {"max", b.max != nil, b.pos.max}} {
		if o.set && typ == typeBool {
			l.probs.Addf(o.pos, "value %q is true or false, and can have no %q", c.name, o.key)
		}
	}
	if typ == typeBool {
		return
	}
	if typ != typeInt {
		for _, o := range []struct {
			key string
			n   *int64
			pos schema.Position
		}{{"min", b.min, b.pos.min}, {"max", b.max, b.pos.max}} {
			if o.n != nil && *o.n < 0 {
				l.probs.Addf(o.pos, "value %q: %q is a number of %s here, and cannot be %d", c.name, o.key, unitOf(typ, 2), *o.n)
			}
		}
	}
	if b.min != nil && b.max != nil && *b.min > *b.max {
		at := b.pos.min
		if at.File != c.pos.File { // said above; what is wrong is what was added here
			at = b.pos.max
		}
		l.probs.Addf(at, "value %q: min %d is more than max %d", c.name, *b.min, *b.max)
	}
}

// unitOf names what the numbers of bounds count in a value of a type.
func unitOf(typ valueType, n int64) string {
	unit := "character"
	if typ == typeList {
		unit = "item"
	}
	if n != 1 {
		unit += "s"
	}
	return unit
}

// check says what of a value is out of bounds: text, or items of a list. The text of a secret is not repeated.
func (b bounds) check(typ valueType, text string, items []string, secret bool) error {
	if b.pattern != nil {
		words := []string{text}
		if typ == typeList {
			words = items
		}
		for _, w := range words {
			switch {
			case b.pattern.MatchString(w):
			case secret:
				return fmt.Errorf("it does not match the pattern %s", b.expression)
			default:
				return fmt.Errorf("%q does not match the pattern %s", schema.Shorten(w), b.expression)
			}
		}
	}
	if b.min == nil && b.max == nil {
		return nil
	}
	var have int64
	switch typ {
	case typeInt:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return err
		}
		have = n
	case typeList:
		have = int64(len(items))
	default:
		have = int64(utf8.RuneCountInString(text))
	}
	switch {
	case b.min != nil && have < *b.min:
		return outOfBounds(typ, have, "at least", *b.min, secret)
	case b.max != nil && have > *b.max:
		return outOfBounds(typ, have, "at most", *b.max, secret)
	}
	return nil
}

func outOfBounds(typ valueType, have int64, word string, limit int64, secret bool) error {
	switch {
	case typ == typeInt:
		return fmt.Errorf("it must be %s %d, found %d", word, limit, have)
	case secret: // its length is nobody's business
		return fmt.Errorf("it must have %s %d %s", word, limit, unitOf(typ, limit))
	}
	return fmt.Errorf("it must have %s %d %s, found %d", word, limit, unitOf(typ, limit), have)
}

// want says in words what the bounds and the type ask for; "" where anything will do.
func (c *declaration) want() string {
	b, typ := c.bounds, c.valueType()
	what := ""
	switch {
	case isSet(c.secret):
		typ = typeString
	case typ == typeBool:
		return "yes or no"
	case typ == typeInt:
		what = "a whole number"
	}
	between := ""
	switch {
	case b.min != nil && b.max != nil && *b.min == *b.max:
		between = fmt.Sprintf("exactly %d", *b.min)
	case b.min != nil && b.max != nil:
		between = fmt.Sprintf("%d to %d", *b.min, *b.max)
	case b.min != nil:
		between = fmt.Sprintf("at least %d", *b.min)
	case b.max != nil:
		between = fmt.Sprintf("at most %d", *b.max)
	}
	switch {
	case between == "":
		return what
	case typ == typeInt:
		return what + ", " + between
	}
	last := b.max
	if last == nil {
		last = b.min
	}
	return between + " " + unitOf(typ, *last)
}
